# What a worker may do and how it is set, without an account: terraform test.
variables {
  app_name   = "orders-app"
  stream_arn = "arn:aws:kinesis:eu-west-1:111122223333:stream/orders"
  processor  = "people:Greeter"
}

run "no_more_than_was_asked_for" {
  command = plan

  assert {
    condition     = length(jsondecode(output.policy).Statement) == 7
    error_message = "the table is there, nothing is encrypted by keys of yours, and there is no group"
  }

  assert {
    condition     = output.settings["KCL_TABLE_CREATE"] == "false"
    error_message = "a worker that may not create the table does not try"
  }
}

run "everything" {
  command = plan

  variables {
    create_table   = true
    stream_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/0a1b"
    table_key_arn  = "arn:aws:kms:eu-west-1:111122223333:key/2c3d"
    group_name     = "orders-app-workers"
    settings       = { KCL_METRICS_LEVEL = "detailed" }
  }

  assert {
    condition     = length(jsondecode(output.policy).Statement) == 11
    error_message = "creating the table, both keys and the hook are granted"
  }

  assert {
    condition     = output.settings["KCL_METRICS_LEVEL"] == "detailed"
    error_message = "settings that are given win"
  }
}

run "elsewhere" {
  command = plan

  variables {
    stream_arn = "arn:aws-cn:kinesis:cn-north-1:111122223333:stream/orders"
    region     = "cn-northwest-1"
  }

  assert {
    condition     = strcontains(output.policy, "arn:aws-cn:dynamodb:cn-northwest-1:111122223333:table/orders-app")
    error_message = "the table is where the workers are, in the partition of the stream"
  }

  assert {
    condition     = output.settings["AWS_DEFAULT_REGION"] == "cn-northwest-1"
    error_message = "workers are told where they are"
  }
}

run "a_name_is_no_arn" {
  command = plan

  variables {
    stream_arn = "orders"
  }

  expect_failures = [var.stream_arn]
}

run "a_command_is_no_processor" {
  command = plan

  variables {
    processor = "people:Greeter'; reboot; '"
  }

  expect_failures = [var.processor]
}
