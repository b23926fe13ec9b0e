# What is planned, without an account: terraform test.
mock_provider "aws" {}

variables {
  app_name              = "orders-app"
  unit                  = "task"
  cpu                   = { namespace = "AWS/ECS", dimensions = { ClusterName = "c", ServiceName = "s" } }
  scale_out_arn         = "arn:aws:autoscaling:eu-west-1:111122223333:scalingPolicy:out"
  scale_in_arn          = "arn:aws:autoscaling:eu-west-1:111122223333:scalingPolicy:in"
  scale_out_lag_seconds = 60
  scale_in_lag_seconds  = 5
}

run "what_acts_upon_what" {
  command = plan

  assert {
    condition     = aws_cloudwatch_metric_alarm.lag.alarm_actions == toset([var.scale_out_arn])
    error_message = "lag starts more"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.idle.alarm_actions == toset([var.scale_in_arn])
    error_message = "having little to do stops one"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.idle.treat_missing_data == "notBreaching"
    error_message = "silence stops nobody"
  }

  assert {
    condition = alltrue([
      for alarm in [aws_cloudwatch_metric_alarm.lag, aws_cloudwatch_metric_alarm.idle] : anytrue([
        for query in alarm.metric_query : query.id == "lag" && try(query.metric[0].namespace, "") == "orders-app"
      ])
    ])
    error_message = "the lag is that of this application"
  }
}
