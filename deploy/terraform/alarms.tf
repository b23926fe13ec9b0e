# Further behind than it should be: is its code slow, are there too few workers?
resource "aws_cloudwatch_metric_alarm" "lag_is_high" {
  alarm_name          = "${var.app_name}-lag-is-high"
  alarm_description   = "${var.app_name} is further behind than it should be."
  namespace           = var.app_name
  metric_name         = local.lag.name
  dimensions          = { (local.lag.dimension) = local.lag.value }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.alarm_lag_seconds * 1000
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}

# Whoever reads tells of its lag, also of none. Silence: no worker has a shard, or sends no metrics.
resource "aws_cloudwatch_metric_alarm" "nobody_reads" {
  alarm_name          = "${var.app_name}-nobody-reads"
  alarm_description   = "No worker of ${var.app_name} tells how far it is."
  namespace           = var.app_name
  metric_name         = local.lag.name
  dimensions          = { (local.lag.dimension) = local.lag.value }
  statistic           = "SampleCount"
  period              = 60
  evaluation_periods  = 5
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}
