# What to look at, and what to be woken for, of one application that sends metrics to CloudWatch
# (metrics.level=summary or more): a dashboard and alarms.
data "aws_region" "current" {}

locals {
  # In one place: how the metrics that are used here are called in CloudWatch.
  metrics = {
    lag       = { name = "MillisBehindLatest", operation = "ApplicationTracker" }
    processed = { name = "RecordsProcessed", operation = "ProcessTask" }
    failures  = { name = "ProcessorFailures", operation = "ProcessTask" }
    unhealthy = { name = "Unhealthy", operation = "Worker" }
    leases    = { name = "CurrentLeases", operation = "RenewAllLeases" }
    lost      = { name = "LostLeases", operation = "RenewAllLeases" }
  }
}
