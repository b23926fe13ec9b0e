# Are there too few workers, or too many? Told by the lag of this application alone; that of the stream is the worst
# of all who read it. The modules ecs and ec2 bring what acts upon it.
locals {
  # In one place: where lag is in CloudWatch.
  lag = {
    name       = "MillisBehindLatest"
    dimensions = { Operation = "ApplicationTracker" }
  }
}

# Counted in thresholds, so that the steps of a policy need no numbers of their own.
resource "aws_cloudwatch_metric_alarm" "lag" {
  alarm_name          = "${var.app_name}-scale-out"
  alarm_description   = "${var.app_name} lags; more ${var.unit}s are started."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.scale_out_arn]

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
      metric_name = local.lag.name
      dimensions  = local.lag.dimensions
      stat        = "Maximum"
      period      = 60
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "idle" {
  alarm_name          = "${var.app_name}-scale-in"
  alarm_description   = "${var.app_name} has little to do; one ${var.unit} is stopped."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = 15
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.scale_in_arn]

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
      metric_name = local.lag.name
      dimensions  = local.lag.dimensions
      stat        = "Maximum"
      period      = 60
    }
  }

  metric_query {
    id = "cpu"

    metric {
      namespace   = var.cpu.namespace
      metric_name = "CPUUtilization"
      dimensions  = var.cpu.dimensions
      stat        = "Average"
      period      = 60
    }
  }
}
