module "worker" {
  source = "../worker"

  app_name       = var.app_name
  stream_arn     = var.stream_arn
  processor      = var.processor
  region         = var.region
  account_id     = var.account_id
  create_table   = var.create_table
  stream_key_arn = var.stream_key_arn
  table_key_arn  = var.table_key_arn
  settings = merge({
    KCL_STOP_GRACE  = "${local.stop_grace}s"
    KCL_HEALTH_FILE = "/tmp/kcl.health"
  }, var.settings)
}

locals {
  # Fargate grants 120 s at most, as long as a Spot notice; what the drain leaves over is for the last words.
  stop_granted = 120
  stop_grace   = 100

  # ECS knows no dots in names.
  plain = replace(var.app_name, ".", "-")

  security_groups = concat([aws_security_group.workers.id], var.security_group_ids)
}

resource "aws_ecs_cluster" "this" {
  name = local.plain

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]
}

resource "aws_cloudwatch_log_group" "workers" {
  name              = "/kcl/${var.app_name}"
  retention_in_days = var.log_days
}

# Workers are called by nobody, and call AWS over TLS alone.
resource "aws_security_group" "workers" {
  name_prefix = "${substr(var.app_name, 0, 90)}-"
  description = "Workers of ${var.app_name}"
  vpc_id      = var.vpc_id

  egress {
    description = "AWS"
    protocol    = "tcp"
    from_port   = 443
    to_port     = 443
    cidr_blocks = ["0.0.0.0/0"]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_ecs_task_definition" "worker" {
  family                   = local.plain
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.worker.arn

  runtime_platform {
    cpu_architecture        = var.architecture
    operating_system_family = "LINUX"
  }

  volume {
    name = "tmp"
  }

  container_definitions = jsonencode([{
    name                   = "worker"
    image                  = var.image
    essential              = true
    command                = ["run", module.worker.processor, "--log-format", "json"]
    user                   = "10001:10001"
    readonlyRootFilesystem = true
    linuxParameters        = { initProcessEnabled = true, capabilities = { drop = ["ALL"] } }
    mountPoints            = [{ sourceVolume = "tmp", containerPath = "/tmp", readOnly = false }]
    stopTimeout            = local.stop_granted
    environment            = [for name, value in module.worker.settings : { name = name, value = value }]

    # Alive, not quick: a worker that lags must not be killed for it.
    healthCheck = {
      command     = ["CMD", "python3", "-m", "kcl_py.health"]
      interval    = 10
      timeout     = 5
      retries     = 3
      startPeriod = 60
    }

    # A log that cannot be written loses lines; it must not stop the worker.
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.workers.name
        awslogs-region        = module.worker.region
        awslogs-stream-prefix = "worker"
        mode                  = "non-blocking"
        max-buffer-size       = "25m"
      }
    }
  }])
}

# New tasks come up before old ones drain, so each lease moves once.
resource "aws_ecs_service" "workers" {
  name                               = local.plain
  cluster                            = aws_ecs_cluster.this.id
  task_definition                    = aws_ecs_task_definition.worker.arn
  desired_count                      = var.tasks_min
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  availability_zone_rebalancing      = "ENABLED"
  enable_ecs_managed_tags            = true
  propagate_tags                     = "SERVICE"
  # ECS refuses a change of the mix without a new deployment, and the provider would make the service anew.
  force_new_deployment = true

  capacity_provider_strategy {
    capacity_provider = "FARGATE"
    base              = 1
    weight            = 1
  }

  dynamic "capacity_provider_strategy" {
    for_each = var.spot_weight > 0 ? [var.spot_weight] : []

    content {
      capacity_provider = "FARGATE_SPOT"
      weight            = capacity_provider_strategy.value
    }
  }

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    assign_public_ip = var.assign_public_ip
    security_groups  = local.security_groups
    subnets          = var.subnet_ids
  }

  # The scaling decides after the first time.
  lifecycle {
    ignore_changes = [desired_count]
  }

  depends_on = [
    aws_ecs_cluster_capacity_providers.this,
    aws_iam_role_policy.worker,
    aws_iam_role_policy_attachment.execution,
  ]
}
