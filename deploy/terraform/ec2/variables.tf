variable "app_name" {
  description = "The application; its lease table and the namespace of its metrics have the same name."
  type        = string
}

variable "stream_arn" {
  description = "The stream."
  type        = string
}

variable "region" {
  description = "Of workers and lease table; null: that of the stream."
  type        = string
  default     = null
}

variable "account_id" {
  description = "Of workers and lease table; null: that of the stream."
  type        = string
  default     = null
}

variable "artefact_bucket" {
  description = "The bucket with wheels, program and unit; deploy/ec2/user-data.sh says which files."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9.-]{3,63}$", var.artefact_bucket))
    error_message = "artefact_bucket is the name of a bucket, without s3:// and without a folder."
  }
}

variable "artefact_prefix" {
  description = "The folder in it, best one for each version."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_./-]*[A-Za-z0-9_.-]$", var.artefact_prefix))
    error_message = "artefact_prefix is letters, digits, '_', '.', '-' and '/', and does not end with '/'."
  }
}

variable "processor" {
  description = "As in kcl run MODULE:THING."
  type        = string
}

variable "processes" {
  description = "Workers on each instance; as many as cores that your code keeps busy."
  type        = number
  default     = 2

  validation {
    condition     = var.processes >= 1
    error_message = "processes is 1 or more."
  }
}

variable "vpc_id" {
  type = string
}

variable "subnet_ids" {
  description = "With a way to Kinesis, DynamoDB, CloudWatch, S3 and Auto Scaling, by NAT or VPC endpoints."
  type        = list(string)
}

variable "security_group_ids" {
  description = "More groups of the workers, as one that may reach your database; theirs lets them call AWS alone."
  type        = list(string)
  default     = []
}

variable "ami_parameter" {
  description = "The SSM parameter that names the image: Amazon Linux 2023 or Debian; one that has Python 3.11 or newer boots faster."
  type        = string
  default     = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
}

variable "ami_id" {
  description = "The image itself; null: the one that ami_parameter names, read at each plan."
  type        = string
  default     = null
}

variable "cores_min" {
  description = "Any kind of instance will do that has so many virtual cores, and as much memory."
  type        = number
  default     = 2
}

variable "cores_max" {
  type    = number
  default = 4
}

variable "memory_min" {
  description = "MiB."
  type        = number
  default     = 4096
}

variable "instances_min" {
  description = "Two, so that one that goes has somebody to take over at once."
  type        = number
  default     = 2
}

variable "instances_max" {
  description = "More than instances_min, so that an update has room for one more. More workers than shards is a waste."
  type        = number
  default     = 8
}

variable "on_demand_percent" {
  description = "Of the instances beyond the first, which is on demand anyhow; the others are Spot."
  type        = number
  default     = 25

  validation {
    condition     = var.on_demand_percent >= 0 && var.on_demand_percent <= 100
    error_message = "on_demand_percent is 0 to 100."
  }
}

variable "create_table" {
  description = "May workers create the lease table; false if the module table made it."
  type        = bool
  default     = false
}

variable "stream_key_arn" {
  description = "The KMS key that encrypts the stream; null if none of yours does."
  type        = string
  default     = null
}

variable "table_key_arn" {
  description = "The KMS key that encrypts the lease table; null if none of yours does."
  type        = string
  default     = null
}

variable "scale_out_lag_seconds" {
  description = "One more instance beyond this lag, three more beyond five times as much."
  type        = number
  default     = 60
}

variable "scale_in_lag_seconds" {
  description = "One less after 15 minutes below this lag and with little to do."
  type        = number
  default     = 5
}

variable "settings" {
  description = "More settings of the workers, as { KCL_LEASES_DURATION = \"5s\" }; they win."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for value in values(var.settings) : !can(regex("['\n]", value))])
    error_message = "settings have no line ends and no single quotes: they become lines of a file, by way of a shell."
  }
}
