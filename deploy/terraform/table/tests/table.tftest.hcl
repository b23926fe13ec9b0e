# What is planned, without an account: terraform test.
mock_provider "aws" {}

variables {
  app_name = "orders-app"
}

run "defaults" {
  command = plan

  assert {
    condition     = aws_dynamodb_table.leases.name == "orders-app" && aws_dynamodb_table.leases.hash_key == "leaseKey"
    error_message = "the table is called as the application, and has its key"
  }

  assert {
    condition     = aws_dynamodb_table.leases.deletion_protection_enabled
    error_message = "the table is not deleted by mistake"
  }

  assert {
    condition     = length(aws_dynamodb_table.leases.server_side_encryption) == 0
    error_message = "the key is the one that AWS owns"
  }
}

run "a_key_of_yours" {
  command = plan

  variables {
    key_arn = "arn:aws:kms:eu-west-1:111122223333:key/0a1b"
  }

  assert {
    condition     = aws_dynamodb_table.leases.server_side_encryption[0].kms_key_arn == var.key_arn
    error_message = "the table is encrypted by it"
  }
}

run "a_name_that_no_table_may_have" {
  command = plan

  variables {
    app_name = "orders app"
  }

  expect_failures = [var.app_name]
}
