resource "aws_autoscaling_policy" "out" {
  name                    = "${var.app_name}-out"
  autoscaling_group_name  = aws_autoscaling_group.workers.name
  policy_type             = "StepScaling"
  adjustment_type         = "ChangeInCapacity"
  metric_aggregation_type = "Maximum"
  # To boot, and to get a share; the lag goes down a while later.
  estimated_instance_warmup = 300

  step_adjustment {
    metric_interval_lower_bound = 0
    metric_interval_upper_bound = 4
    scaling_adjustment          = 1
  }

  step_adjustment {
    metric_interval_lower_bound = 4
    scaling_adjustment          = 3
  }
}

resource "aws_autoscaling_policy" "in" {
  name                   = "${var.app_name}-in"
  autoscaling_group_name = aws_autoscaling_group.workers.name
  # The alarm asks each minute for as long as it lasts; of EC2's policies this kind alone rests in between.
  policy_type        = "SimpleScaling"
  adjustment_type    = "ChangeInCapacity"
  scaling_adjustment = -1
  # Each step moves leases.
  cooldown = 900
}

module "scaling" {
  source = "../scaling"

  app_name              = var.app_name
  unit                  = "instance"
  scale_out_arn         = aws_autoscaling_policy.out.arn
  scale_in_arn          = aws_autoscaling_policy.in.arn
  scale_out_lag_seconds = var.scale_out_lag_seconds
  scale_in_lag_seconds  = var.scale_in_lag_seconds

  cpu = {
    namespace  = "AWS/EC2"
    dimensions = { AutoScalingGroupName = aws_autoscaling_group.workers.name }
  }
}
