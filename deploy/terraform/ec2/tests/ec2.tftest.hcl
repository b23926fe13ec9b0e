# What is planned, without an account: terraform test.
mock_provider "aws" {
  mock_data "aws_ssm_parameter" {
    defaults = { insecure_value = "ami-latest" }
  }
}

variables {
  app_name        = "orders-app"
  stream_arn      = "arn:aws:kinesis:eu-west-1:111122223333:stream/orders"
  artefact_bucket = "bucket"
  artefact_prefix = "orders/1"
  processor       = "people:Greeter"
  vpc_id          = "vpc-1"
  subnet_ids      = ["subnet-1", "subnet-2"]
}

run "defaults" {
  command = plan

  assert {
    condition     = aws_launch_template.workers.metadata_options[0].http_tokens == "required"
    error_message = "instances know the second version of their metadata alone"
  }

  assert {
    condition     = strcontains(local.variables, "KCL_NOTICES_AUTO_SCALING_GROUP=${aws_autoscaling_group.workers.name}\n")
    error_message = "a worker knows the name of its group"
  }

  assert {
    condition     = aws_launch_template.workers.image_id == "ami-latest"
    error_message = "the image is the one that the parameter names"
  }

  assert {
    condition     = endswith(base64decode(aws_launch_template.workers.user_data), file("../../ec2/user-data.sh"))
    error_message = "an instance boots with the script as it is"
  }

  assert {
    condition     = startswith(base64decode(aws_launch_template.workers.user_data), "#!/usr/bin/env bash\nARTEFACTS='s3://bucket/orders/1'\n")
    error_message = "and above it stands what it needs"
  }

  assert {
    condition     = strcontains(local.variables, "KCL_NOTICES_LIFECYCLE_HOOK=${aws_autoscaling_lifecycle_hook.drain.name}\n")
    error_message = "a worker knows the hook that it has to let go"
  }

  assert {
    condition     = strcontains(aws_iam_role_policy.worker.policy, "autoScalingGroupName/${aws_autoscaling_group.workers.name}")
    error_message = "and may do so, of this group"
  }

  assert {
    condition     = aws_autoscaling_lifecycle_hook.drain.heartbeat_timeout > 120
    error_message = "the hook waits longer than a drain takes"
  }

  assert {
    condition     = aws_autoscaling_group.workers.mixed_instances_policy[0].instances_distribution[0].on_demand_base_capacity == 1
    error_message = "one instance is on demand whatever the mix"
  }

  assert {
    condition     = aws_launch_template.workers.monitoring[0].enabled
    error_message = "CPU is told as often as an alarm asks for it"
  }

  assert {
    condition     = aws_autoscaling_policy.in.policy_type == "SimpleScaling" && aws_autoscaling_policy.in.cooldown == 900
    error_message = "one goes, and the next only after a quarter of an hour"
  }

  assert {
    condition     = aws_autoscaling_group.workers.instance_refresh[0].preferences[0].min_healthy_percentage == 100
    error_message = "new instances come before old ones go"
  }
}

run "what_is_asked_for" {
  command = plan

  variables {
    ami_id       = "ami-mine"
    create_table = true
    settings     = { KCL_LEASES_DURATION = "5s" }

    security_group_ids = ["sg-database"]
  }

  assert {
    condition     = length(local.security_groups) == 2 && local.security_groups[1] == "sg-database"
    error_message = "workers may reach what is yours"
  }

  assert {
    condition     = aws_launch_template.workers.image_id == "ami-mine" && length(data.aws_ssm_parameter.ami) == 0
    error_message = "an image of yours is asked after nowhere"
  }

  assert {
    condition     = local.settings["KCL_TABLE_CREATE"] == "true" && local.settings["KCL_LEASES_DURATION"] == "5s"
    error_message = "settings reach the workers"
  }
}

run "a_setting_that_would_end_its_quotes" {
  command = plan

  variables {
    settings = { KCL_LEASES_DURATION = "5s'; reboot; '" }
  }

  expect_failures = [var.settings]
}

run "a_folder_is_no_prefix" {
  command = plan

  variables {
    artefact_prefix = "orders/1/"
  }

  expect_failures = [var.artefact_prefix]
}
