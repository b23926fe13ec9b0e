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
  name                    = "${var.app_name}-in"
  autoscaling_group_name  = aws_autoscaling_group.workers.name
  policy_type             = "StepScaling"
  adjustment_type         = "ChangeInCapacity"
  metric_aggregation_type = "Maximum"

  step_adjustment {
    metric_interval_lower_bound = 0
    scaling_adjustment          = -1
  }
}

# The lag of this application alone; that of the stream is the worst of all who read it. Counted in
# thresholds, so that the steps above need no numbers of their own.
resource "aws_cloudwatch_metric_alarm" "lag" {
  alarm_name          = "${var.app_name}-scale-out"
  alarm_description   = "${var.app_name} lags; more instances are started."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_autoscaling_policy.out.arn]

  metric_query {
    id          = "thresholds"
    expression  = "lag / (${var.scale_out_lag_seconds} * 1000)"
    label       = "Lag in thresholds"
    return_data = true
  }

  metric_query {
    id = "lag"

    metric {
      namespace   = var.app_name
      metric_name = module.worker.lag.name
      dimensions  = { (module.worker.lag.dimension) = module.worker.lag.value }
      stat        = "Maximum"
      period      = 60
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "idle" {
  alarm_name          = "${var.app_name}-scale-in"
  alarm_description   = "${var.app_name} has little to do; an instance is stopped."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = 15
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_autoscaling_policy.in.arn]

  metric_query {
    id          = "idle"
    expression  = "IF(lag < ${var.scale_in_lag_seconds} * 1000 AND cpu < 40, 1, 0)"
    label       = "No lag, and little CPU"
    return_data = true
  }

  metric_query {
    id = "lag"

    metric {
      namespace   = var.app_name
      metric_name = module.worker.lag.name
      dimensions  = { (module.worker.lag.dimension) = module.worker.lag.value }
      stat        = "Maximum"
      period      = 60
    }
  }

  metric_query {
    id = "cpu"

    metric {
      namespace   = "AWS/EC2"
      metric_name = "CPUUtilization"
      dimensions  = { AutoScalingGroupName = aws_autoscaling_group.workers.name }
      stat        = "Average"
      period      = 60
    }
  }
}
