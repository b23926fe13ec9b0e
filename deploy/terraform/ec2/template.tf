locals {
  # The script writes that one itself.
  settings = { for name, value in module.worker.settings : name => value if name != "KCL_APP_NAME" }

  # First the variables, then deploy/ec2/user-data.sh as it is.
  variables = <<-END
    #!/usr/bin/env bash
    ARTEFACTS='s3://${var.artefact_bucket}/${var.artefact_prefix}'
    APP_NAME='${var.app_name}'
    PROCESSOR='${module.worker.processor}'
    PROCESSES='${var.processes}'
    SETTINGS='${join("\n", [for name, value in local.settings : "${name}=${value}"])}'
  END
  user_data = "${local.variables}${file("${path.module}/../../ec2/user-data.sh")}"

  security_groups = concat([aws_security_group.workers.id], var.security_group_ids)
}

data "aws_ssm_parameter" "ami" {
  count = var.ami_id == null ? 1 : 0

  name = var.ami_parameter
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

resource "aws_launch_template" "workers" {
  name_prefix            = "${substr(var.app_name, 0, 90)}-"
  image_id               = var.ami_id == null ? data.aws_ssm_parameter.ami[0].insecure_value : var.ami_id
  ebs_optimized          = true
  user_data              = base64encode(local.user_data)
  vpc_security_group_ids = local.security_groups

  iam_instance_profile {
    arn = aws_iam_instance_profile.worker.arn
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_size           = 10
      volume_type           = "gp3"
      encrypted             = true
      delete_on_termination = true
    }
  }

  # Each minute, as an alarm asks for it; otherwise each five.
  monitoring {
    enabled = true
  }

  # Version 2 alone, and no further than the instance itself. Without tags: the worker is told the
  # name of its group.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  tag_specifications {
    resource_type = "instance"
    tags          = { Name = "${var.app_name}-worker" }
  }
}
