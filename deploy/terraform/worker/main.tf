# What a worker is, wherever it runs: where it belongs, what it may do, how it is set.
# No resources: the modules ecs and ec2 make them.
locals {
  arn       = split(":", var.stream_arn)
  partition = local.arn[1]
  region    = coalesce(var.region, local.arn[3])
  account   = coalesce(var.account_id, local.arn[4])
  suffix    = local.partition == "aws-cn" ? "amazonaws.com.cn" : "amazonaws.com"
  table_arn = "arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/${var.app_name}"

  settings = merge({
    AWS_DEFAULT_REGION    = local.region
    KCL_APP_NAME          = var.app_name
    KCL_STREAM            = var.stream_arn
    KCL_TABLE_CREATE      = tostring(var.create_table)
    KCL_METRICS_LEVEL     = "summary"
    KCL_METRICS_NAMESPACE = var.app_name
  }, var.settings)
}
