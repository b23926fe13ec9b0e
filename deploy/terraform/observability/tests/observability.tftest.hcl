# What is planned, without an account: terraform test.
mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { id = "eu-west-1" }
  }
}

variables {
  app_name    = "orders.app"
  stream_name = "orders"
}

run "defaults" {
  command = plan

  assert {
    condition     = aws_cloudwatch_metric_alarm.nobody_reads.treat_missing_data == "breaching"
    error_message = "silence is an alarm"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.lag_is_high.threshold == 300
    error_message = "somebody looks at a lag of five minutes"
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.lag_is_high.alarm_actions) == 0
    error_message = "nobody is told who did not ask"
  }

  assert {
    condition     = aws_cloudwatch_dashboard.this.dashboard_name == "kcl-orders-app"
    error_message = "a dashboard's name has no dots"
  }

  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 6
    error_message = "there is one widget for each question"
  }
}

run "a_topic" {
  command = plan

  variables {
    topic_arns = ["arn:aws:sns:eu-west-1:111122223333:pager"]
  }

  assert {
    condition = alltrue([
      for alarm in [
        aws_cloudwatch_metric_alarm.lag_is_high,
        aws_cloudwatch_metric_alarm.records_may_be_lost,
        aws_cloudwatch_metric_alarm.nobody_reads,
        aws_cloudwatch_metric_alarm.workers_are_unhealthy,
        aws_cloudwatch_metric_alarm.stream_is_throttled,
        aws_cloudwatch_metric_alarm.table_is_throttled,
      ] : alarm.alarm_actions == toset(var.topic_arns) && alarm.ok_actions == toset(var.topic_arns)
    ])
    error_message = "every alarm goes to the topic, and comes back from it"
  }
}

run "an_arn_is_no_name" {
  command = plan

  variables {
    stream_name = "arn:aws:kinesis:eu-west-1:111122223333:stream/orders"
  }

  expect_failures = [var.stream_name]
}
