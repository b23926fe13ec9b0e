resource "aws_appautoscaling_target" "tasks" {
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${aws_ecs_service.workers.name}"
  min_capacity       = var.tasks_min
  max_capacity       = var.tasks_max
}

resource "aws_appautoscaling_policy" "out" {
  name               = "${var.app_name}-out"
  policy_type        = "StepScaling"
  service_namespace  = aws_appautoscaling_target.tasks.service_namespace
  scalable_dimension = aws_appautoscaling_target.tasks.scalable_dimension
  resource_id        = aws_appautoscaling_target.tasks.resource_id

  step_scaling_policy_configuration {
    adjustment_type         = "ChangeInCapacity"
    metric_aggregation_type = "Maximum"
    # A new task needs its share first; the lag goes down a while later.
    cooldown = 180

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
}

resource "aws_appautoscaling_policy" "in" {
  name               = "${var.app_name}-in"
  policy_type        = "StepScaling"
  service_namespace  = aws_appautoscaling_target.tasks.service_namespace
  scalable_dimension = aws_appautoscaling_target.tasks.scalable_dimension
  resource_id        = aws_appautoscaling_target.tasks.resource_id

  step_scaling_policy_configuration {
    adjustment_type         = "ChangeInCapacity"
    metric_aggregation_type = "Maximum"
    # Each step moves leases.
    cooldown = 900

    step_adjustment {
      metric_interval_lower_bound = 0
      scaling_adjustment          = -1
    }
  }
}

module "scaling" {
  source = "../scaling"

  app_name              = var.app_name
  unit                  = "task"
  scale_out_arn         = aws_appautoscaling_policy.out.arn
  scale_in_arn          = aws_appautoscaling_policy.in.arn
  scale_out_lag_seconds = var.scale_out_lag_seconds
  scale_in_lag_seconds  = var.scale_in_lag_seconds

  cpu = {
    namespace = "AWS/ECS"
    dimensions = {
      ClusterName = aws_ecs_cluster.this.name
      ServiceName = aws_ecs_service.workers.name
    }
  }
}
