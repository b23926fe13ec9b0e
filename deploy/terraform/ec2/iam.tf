resource "aws_iam_role" "worker" {
  name_prefix = "${substr(var.app_name, 0, 25)}-worker-"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.${module.worker.suffix}" }
      Action    = "sts:AssumeRole"
    }]
  })
}

# What the first boot fetches.
resource "aws_iam_role_policy" "boot" {
  name = "boot"
  role = aws_iam_role.worker.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = "arn:${module.worker.partition}:s3:::${var.artefact_bucket}/${var.artefact_prefix}/*"
      },
      {
        Effect    = "Allow"
        Action    = ["s3:ListBucket"]
        Resource  = "arn:${module.worker.partition}:s3:::${var.artefact_bucket}"
        Condition = { StringLike = { "s3:prefix" = "${var.artefact_prefix}/*" } }
      },
    ]
  })
}

resource "aws_iam_role_policy" "worker" {
  name   = "worker"
  role   = aws_iam_role.worker.id
  policy = module.worker.policy
}

resource "aws_iam_instance_profile" "worker" {
  name_prefix = "${substr(var.app_name, 0, 90)}-worker-"
  role        = aws_iam_role.worker.name
}
