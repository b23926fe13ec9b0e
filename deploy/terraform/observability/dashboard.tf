locals {
  m      = local.metrics
  region = data.aws_region.current.id

  # Row by row, two in each.
  widgets = [
    {
      title = "How far behind (ms)"
      stat  = "Maximum"
      lines = [
        [var.app_name, local.m.lag.name, "Operation", local.m.lag.operation, { label = "this application" }],
        [
          "AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "StreamName", var.stream_name,
          { label = "all who read the stream" }
        ],
      ]
      more = {
        annotations = { horizontal = [{ label = "alarm", value = var.lag_seconds * 1000 }] }
      }
    },
    {
      title = "Records a minute"
      stat  = "Sum"
      lines = [
        [var.app_name, local.m.processed.name, "Operation", local.m.processed.operation, { label = "processed" }],
        ["AWS/Kinesis", "IncomingRecords", "StreamName", var.stream_name, { label = "put" }],
      ]
      more = {}
    },
    {
      title = "Trouble"
      stat  = "Sum"
      lines = [
        [
          var.app_name, local.m.failures.name, "Operation", local.m.failures.operation,
          { label = "calls of your code that raised" }
        ],
        [var.app_name, local.m.lost.name, "Operation", local.m.lost.operation, { label = "leases lost" }],
        [
          var.app_name, local.m.unhealthy.name, "Operation", local.m.unhealthy.operation,
          { label = "unhealthy workers" }
        ],
      ]
      more = {}
    },
    {
      title = "Throttled reads of the stream (share)"
      stat  = "Average"
      lines = [["AWS/Kinesis", "ReadProvisionedThroughputExceeded", "StreamName", var.stream_name]]
      more  = {}
    },
    {
      title = "Lease table, units a minute"
      stat  = "Sum"
      lines = [
        ["AWS/DynamoDB", "ConsumedWriteCapacityUnits", "TableName", var.app_name, { label = "written" }],
        ["AWS/DynamoDB", "ConsumedReadCapacityUnits", "TableName", var.app_name, { label = "read" }],
      ]
      more = {}
    },
    {
      title = "Leases of a worker"
      stat  = "Maximum"
      lines = [[var.app_name, local.m.leases.name, "Operation", local.m.leases.operation, { label = "most" }]]
      more  = {}
    },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = "kcl-${replace(var.app_name, ".", "-")}"

  dashboard_body = jsonencode({
    widgets = [for number, widget in local.widgets : {
      type   = "metric"
      x      = 12 * (number % 2)
      y      = 6 * floor(number / 2)
      width  = 12
      height = 6
      properties = merge({
        title   = widget.title
        region  = local.region
        period  = 60
        stat    = widget.stat
        view    = "timeSeries"
        metrics = widget.lines
      }, widget.more)
    }]
  })
}
