locals {
  trust = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = module.worker.account_id } }
    }]
  })
}

# Fetches the image and writes the log; the program never has these rights.
resource "aws_iam_role" "execution" {
  name_prefix        = "${substr(var.app_name, 0, 25)}-execution-"
  assume_role_policy = local.trust
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "arn:${module.worker.partition}:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

resource "aws_iam_role" "worker" {
  name_prefix        = "${substr(var.app_name, 0, 25)}-worker-"
  assume_role_policy = local.trust
}

resource "aws_iam_role_policy" "worker" {
  name   = "worker"
  role   = aws_iam_role.worker.id
  policy = module.worker.policy
}
