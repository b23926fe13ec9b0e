# What is planned, without an account: terraform test.
mock_provider "aws" {}

variables {
  app_name   = "orders-app"
  stream_arn = "arn:aws:kinesis:eu-west-1:111122223333:stream/orders"
  image      = "image@sha256:0"
  processor  = "people:Greeter"
  vpc_id     = "vpc-1"
  subnet_ids = ["subnet-1", "subnet-2"]
}

run "defaults" {
  command = plan

  assert {
    condition     = length(aws_dynamodb_table.leases) == 1 && aws_dynamodb_table.leases[0].hash_key == "leaseKey"
    error_message = "the lease table is made, with its key"
  }

  assert {
    condition     = aws_dynamodb_table.leases[0].deletion_protection_enabled
    error_message = "the lease table is not deleted by mistake"
  }

  assert {
    condition     = local.stop_granted == 120 && local.stop_grace <= local.stop_granted - 10
    error_message = "a drain ends within the time that Fargate grants"
  }

  assert {
    condition     = aws_ecs_service.workers.deployment_circuit_breaker[0].rollback
    error_message = "a bad deployment is taken back"
  }

  assert {
    condition     = length(aws_ecs_service.workers.capacity_provider_strategy) == 2
    error_message = "there is a mix with Spot"
  }

  assert {
    condition     = length(local.statements) == 7
    error_message = "no more is granted than was asked for"
  }
}

run "everything" {
  command = plan

  variables {
    create_table   = true
    make_table     = false
    spot_weight    = 0
    stream_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/0a1b"
    table_key_arn  = "arn:aws:kms:eu-west-1:111122223333:key/2c3d"
    settings       = { KCL_LEASES_DURATION = "5s" }
  }

  assert {
    condition     = length(aws_dynamodb_table.leases) == 0
    error_message = "workers make the table"
  }

  assert {
    condition     = length(aws_ecs_service.workers.capacity_provider_strategy) == 1
    error_message = "all tasks are on demand"
  }

  assert {
    condition     = length(local.statements) == 10
    error_message = "creating the table and both keys are granted"
  }

  assert {
    condition     = local.environment["KCL_LEASES_DURATION"] == "5s"
    error_message = "settings reach the workers"
  }
}

run "a_name_is_no_arn" {
  command = plan

  variables {
    stream_arn = "orders"
  }

  expect_failures = [var.stream_arn]
}
