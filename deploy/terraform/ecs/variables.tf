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

variable "image" {
  description = "Made FROM deploy/Dockerfile, with your program in /app; best named by its digest."
  type        = string
}

variable "processor" {
  description = "As in kcl run MODULE:THING."
  type        = string
}

variable "vpc_id" {
  type = string
}

variable "subnet_ids" {
  description = "With a way to Kinesis, DynamoDB, CloudWatch and the image, by NAT or VPC endpoints."
  type        = list(string)
}

variable "security_group_ids" {
  description = "More groups of the workers, as one that may reach your database; theirs lets them call AWS alone."
  type        = list(string)
  default     = []
}

variable "assign_public_ip" {
  type    = bool
  default = false
}

variable "cpu" {
  description = "1024 is one core, and a worker uses no more than one."
  type        = number
  default     = 1024
}

variable "memory" {
  description = "MiB, two to eight times cpu. The read buffer alone may take 256 (delivery.buffer_bytes)."
  type        = number
  default     = 2048
}

variable "architecture" {
  type    = string
  default = "X86_64"
}

variable "tasks_min" {
  description = "Two, so that one that goes has somebody to take over at once."
  type        = number
  default     = 2
}

variable "tasks_max" {
  description = "More than shards is a waste."
  type        = number
  default     = 8
}

variable "spot_weight" {
  description = "Tasks on Spot for each on demand, beyond the first; 0 is none."
  type        = number
  default     = 3
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
  description = "One more task beyond this lag, three more beyond five times as much."
  type        = number
  default     = 60
}

variable "scale_in_lag_seconds" {
  description = "One less after 15 minutes below this lag and with little to do."
  type        = number
  default     = 5
}

variable "log_days" {
  type    = number
  default = 30
}

variable "settings" {
  description = "More settings of the workers, as { KCL_LEASES_DURATION = \"5s\" }."
  type        = map(string)
  default     = {}
}
