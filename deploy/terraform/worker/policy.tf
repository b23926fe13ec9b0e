locals {
  # What kcl iam policy worker prints. Each is JSON, since statements differ in form.
  statements = compact([
    jsonencode({
      Sid      = "DescribeStream"
      Effect   = "Allow"
      Action   = ["kinesis:DescribeStreamSummary", "kinesis:ListShards"]
      Resource = var.stream_arn
    }),
    jsonencode({
      Sid      = "ReadRecords"
      Effect   = "Allow"
      Action   = ["kinesis:GetRecords", "kinesis:GetShardIterator"]
      Resource = var.stream_arn
    }),
    jsonencode({
      Sid      = "ReadLeases"
      Effect   = "Allow"
      Action   = ["dynamodb:DescribeTable", "dynamodb:Scan"]
      Resource = local.table_arn
    }),
    jsonencode({
      Sid      = "FindJava"
      Effect   = "Allow"
      Action   = ["dynamodb:DescribeTable"]
      Resource = "${local.table_arn}-CoordinatorState"
    }),
    jsonencode({
      Sid    = "HoldLeases"
      Effect = "Allow"
      Action = [
        "dynamodb:BatchGetItem",
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:UpdateItem",
      ]
      Resource = local.table_arn
    }),
    jsonencode({
      Sid      = "FindLeases"
      Effect   = "Allow"
      Action   = ["dynamodb:Query"]
      Resource = "${local.table_arn}/index/LeaseOwnerToLeaseKeyIndex"
    }),
    var.create_table ? jsonencode({
      Sid      = "CreateTable"
      Effect   = "Allow"
      Action   = ["dynamodb:CreateTable"]
      Resource = local.table_arn
    }) : "",
    jsonencode({
      Sid       = "PutMetrics"
      Effect    = "Allow"
      Action    = ["cloudwatch:PutMetricData"]
      Resource  = "*"
      Condition = { StringEquals = { "cloudwatch:namespace" = var.app_name } }
    }),
    var.group_name == null ? "" : jsonencode({
      Sid    = "HoldHook"
      Effect = "Allow"
      Action = [
        "autoscaling:CompleteLifecycleAction",
        "autoscaling:RecordLifecycleActionHeartbeat",
      ]
      Resource = join(":", [
        "arn", local.partition, "autoscaling", local.region, local.account,
        "autoScalingGroup", "*", "autoScalingGroupName/${var.group_name}",
      ])
    }),
    var.stream_key_arn == null ? "" : jsonencode({
      Sid       = "DecryptRecords"
      Effect    = "Allow"
      Action    = ["kms:Decrypt"]
      Resource  = var.stream_key_arn
      Condition = { StringEquals = { "kms:ViaService" = "kinesis.${local.arn[3]}.${local.suffix}" } }
    }),
    var.table_key_arn == null ? "" : jsonencode({
      Sid    = "UseTableKey"
      Effect = "Allow"
      Action = [
        "kms:CreateGrant",
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:Encrypt",
        "kms:GenerateDataKey*",
        "kms:ReEncrypt*",
      ]
      Resource  = var.table_key_arn
      Condition = { StringEquals = { "kms:ViaService" = "dynamodb.${local.region}.${local.suffix}" } }
    }),
  ])
}
