module "worker" {
  source = "../worker"

  app_name       = var.app_name
  stream_arn     = var.stream_arn
  processor      = var.processor
  region         = var.region
  account_id     = var.account_id
  create_table   = var.create_table
  stream_key_arn = var.stream_key_arn
  table_key_arn  = var.table_key_arn
  group_name     = local.group_name
  settings = merge({
    KCL_NOTICES_LIFECYCLE_HOOK     = local.hook_name
    KCL_NOTICES_AUTO_SCALING_GROUP = local.group_name
  }, var.settings)
}

locals {
  # Fixed, because the role names the group, and the worker both.
  group_name = "${var.app_name}-workers"
  hook_name  = "drain"
}

resource "aws_autoscaling_group" "workers" {
  name                = local.group_name
  vpc_zone_identifier = var.subnet_ids
  min_size            = var.instances_min
  max_size            = var.instances_max
  health_check_type   = "EC2"
  # Spot that is likely to go soon is replaced beforehand.
  capacity_rebalance = true
  # A group that has no instances yet is no reason to make it anew; alarms tell that nobody reads.
  wait_for_capacity_timeout = "0"

  mixed_instances_policy {
    instances_distribution {
      on_demand_base_capacity                  = 1
      on_demand_percentage_above_base_capacity = var.on_demand_percent
      spot_allocation_strategy                 = "price-capacity-optimized"
    }

    launch_template {
      launch_template_specification {
        launch_template_id = aws_launch_template.workers.id
        version            = aws_launch_template.workers.latest_version
      }

      override {
        instance_requirements {
          instance_generations = ["current"]

          vcpu_count {
            min = var.cores_min
            max = var.cores_max
          }

          memory_mib {
            min = var.memory_min
          }
        }
      }
    }
  }

  # After each change of the launch template. New before old: each lease moves once. The hook holds every
  # instance that goes until it has drained.
  instance_refresh {
    strategy = "Rolling"

    preferences {
      min_healthy_percentage = 100
      max_healthy_percentage = 110
      instance_warmup        = 180
      auto_rollback          = true
    }
  }

  tag {
    key                 = "Application"
    value               = var.app_name
    propagate_at_launch = true
  }

  depends_on = [aws_iam_role_policy.boot, aws_iam_role_policy.worker]
}

# A drain takes 100 s at most and says when it is over; without a word the group goes on after this. A
# resource of its own, since what a group has from its start Terraform does not change afterwards.
resource "aws_autoscaling_lifecycle_hook" "drain" {
  name                   = local.hook_name
  autoscaling_group_name = aws_autoscaling_group.workers.name
  lifecycle_transition   = "autoscaling:EC2_INSTANCE_TERMINATING"
  heartbeat_timeout      = 180
  default_result         = "CONTINUE"
}
