resource "aws_cloudwatch_metric_alarm" "lag_is_high" {
  alarm_name          = "${var.app_name}-lag-is-high"
  alarm_description   = "${var.app_name} is further behind than it should be: is its code slow, are there too few workers?"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.lag_seconds
  evaluation_periods  = 5
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.topic_arns
  ok_actions          = var.topic_arns

  metric_query {
    id          = "seconds"
    expression  = "lag / 1000"
    label       = "Lag in seconds"
    return_data = true
  }

  metric_query {
    id = "lag"

    metric {
      namespace   = var.app_name
      metric_name = local.metrics.lag.name
      dimensions  = { Operation = local.metrics.lag.operation }
      stat        = "Maximum"
      period      = 60
    }
  }
}

# Half way to where records are lost: time to raise the retention of the stream.
resource "aws_cloudwatch_metric_alarm" "records_may_be_lost" {
  alarm_name          = "${var.app_name}-records-may-be-lost"
  alarm_description   = "${var.app_name} is behind by more than half of what the stream keeps."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 50
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.topic_arns
  ok_actions          = var.topic_arns

  metric_query {
    id          = "share"
    expression  = "100 * lag / (${var.retention_hours} * 3600000)"
    label       = "Lag in percent of retention"
    return_data = true
  }

  metric_query {
    id = "lag"

    metric {
      namespace   = var.app_name
      metric_name = local.metrics.lag.name
      dimensions  = { Operation = local.metrics.lag.operation }
      stat        = "Maximum"
      period      = 60
    }
  }
}

# Whoever reads tells of its lag, also of none. Silence: no worker has a shard, or sends no metrics.
resource "aws_cloudwatch_metric_alarm" "nobody_reads" {
  alarm_name          = "${var.app_name}-nobody-reads"
  alarm_description   = "No worker of ${var.app_name} tells how far it is."
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  evaluation_periods  = 5
  treat_missing_data  = "breaching"
  alarm_actions       = var.topic_arns
  ok_actions          = var.topic_arns

  metric_query {
    id          = "lag"
    return_data = true

    metric {
      namespace   = var.app_name
      metric_name = local.metrics.lag.name
      dimensions  = { Operation = local.metrics.lag.operation }
      stat        = "SampleCount"
      period      = 60
    }
  }
}

# A shard that fails, is paused or hangs: kcl leases, and the log at level error.
resource "aws_cloudwatch_metric_alarm" "workers_are_unhealthy" {
  alarm_name          = "${var.app_name}-workers-are-unhealthy"
  alarm_description   = "A worker of ${var.app_name} needs somebody to look at one of its shards."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 5
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.topic_arns
  ok_actions          = var.topic_arns

  metric_query {
    id          = "unhealthy"
    return_data = true

    metric {
      namespace   = var.app_name
      metric_name = local.metrics.unhealthy.name
      dimensions  = { Operation = local.metrics.unhealthy.operation }
      stat        = "Maximum"
      period      = 60
    }
  }
}

# Of all who read the stream: beyond a few percent they are too many for its shards.
resource "aws_cloudwatch_metric_alarm" "stream_is_throttled" {
  alarm_name          = "${var.app_name}-stream-is-throttled"
  alarm_description   = "Reads of ${var.stream_name} are throttled."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0.1
  evaluation_periods  = 15
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.topic_arns
  ok_actions          = var.topic_arns

  metric_query {
    id          = "throttled"
    return_data = true

    metric {
      namespace   = "AWS/Kinesis"
      metric_name = "ReadProvisionedThroughputExceeded"
      dimensions  = { StreamName = var.stream_name }
      stat        = "Average"
      period      = 60
    }
  }
}

# Renewals that do not come through cost leases.
resource "aws_cloudwatch_metric_alarm" "table_is_throttled" {
  alarm_name          = "${var.app_name}-table-is-throttled"
  alarm_description   = "The lease table of ${var.app_name} is throttled."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 10
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.topic_arns
  ok_actions          = var.topic_arns

  metric_query {
    id          = "events"
    expression  = "FILL(writes, 0) + FILL(reads, 0)"
    label       = "Throttled requests"
    return_data = true
  }

  metric_query {
    id = "writes"

    metric {
      namespace   = "AWS/DynamoDB"
      metric_name = "WriteThrottleEvents"
      dimensions  = { TableName = var.app_name }
      stat        = "Sum"
      period      = 60
    }
  }

  metric_query {
    id = "reads"

    metric {
      namespace   = "AWS/DynamoDB"
      metric_name = "ReadThrottleEvents"
      dimensions  = { TableName = var.app_name }
      stat        = "Sum"
      period      = 60
    }
  }
}
