# What is planned, without an account: terraform test.
mock_provider "aws" {}

variables {
  app_name   = "orders.app"
  stream_arn = "arn:aws:kinesis:eu-west-1:111122223333:stream/orders"
  image      = "image@sha256:0"
  processor  = "people:Greeter"
  vpc_id     = "vpc-1"
  subnet_ids = ["subnet-1", "subnet-2"]
}

run "defaults" {
  command = plan

  assert {
    condition     = local.stop_granted == 120 && local.stop_grace <= local.stop_granted - 10
    error_message = "a drain ends within the time that Fargate grants"
  }

  assert {
    condition     = module.worker.settings["KCL_STOP_GRACE"] == "${local.stop_grace}s"
    error_message = "the worker knows how long it has"
  }

  assert {
    condition     = aws_ecs_service.workers.deployment_circuit_breaker[0].rollback
    error_message = "a bad deployment is taken back"
  }

  assert {
    condition     = aws_ecs_service.workers.force_new_deployment
    error_message = "another mix is an update, and no new service"
  }

  assert {
    condition     = length(aws_ecs_service.workers.capacity_provider_strategy) == 2
    error_message = "there is a mix with Spot"
  }

  assert {
    condition     = aws_ecs_task_definition.worker.family == "orders-app" && aws_ecs_cluster.this.name == "orders-app"
    error_message = "names of ECS have no dots"
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.worker.policy, "autoscaling:")
    error_message = "a task has no lifecycle hook to hold"
  }
}

run "what_is_asked_for" {
  command = plan

  variables {
    create_table = true
    spot_weight  = 0
    settings     = { KCL_LEASES_DURATION = "5s" }

    security_group_ids = ["sg-database"]
  }

  assert {
    condition     = length(local.security_groups) == 2 && local.security_groups[1] == "sg-database"
    error_message = "workers may reach what is yours"
  }

  assert {
    condition     = strcontains(aws_iam_role_policy.worker.policy, "dynamodb:CreateTable")
    error_message = "workers make the table"
  }

  assert {
    condition     = length(aws_ecs_service.workers.capacity_provider_strategy) == 1
    error_message = "all tasks are on demand"
  }

  assert {
    condition     = module.worker.settings["KCL_LEASES_DURATION"] == "5s"
    error_message = "settings reach the workers"
  }
}
