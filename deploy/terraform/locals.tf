locals {
  arn       = split(":", var.stream_arn)
  partition = local.arn[1]
  region    = coalesce(var.region, local.arn[3])
  account   = coalesce(var.account_id, local.arn[4])
  suffix    = local.partition == "aws-cn" ? "amazonaws.com.cn" : "amazonaws.com"
  table_arn = "arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/${var.app_name}"

  # In one place: where lag is in CloudWatch, and how long a task has to stop. Fargate grants 120 s at most,
  # as long as a Spot notice; what the drain leaves over is for the last words.
  lag          = { name = "MillisBehindLatest", dimension = "Operation", value = "ApplicationTracker" }
  stop_granted = 120
  stop_grace   = 100

  environment = merge({
    AWS_DEFAULT_REGION    = local.region
    KCL_APP_NAME          = var.app_name
    KCL_STREAM            = var.stream_arn
    KCL_TABLE_CREATE      = tostring(var.create_table)
    KCL_STOP_GRACE        = "${local.stop_grace}s"
    KCL_HEALTH_FILE       = "/tmp/kcl.health"
    KCL_METRICS_LEVEL     = "summary"
    KCL_METRICS_NAMESPACE = var.app_name
  }, var.settings)
}
