variable "app_name" {
  description = "The application; its lease table and the namespace of its metrics have the same name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{3,255}$", var.app_name))
    error_message = "app_name is 3 to 255 letters, digits, '_', '-' and '.'."
  }
}

variable "stream_arn" {
  description = "The stream."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kinesis:[a-z0-9-]+:[0-9]{12}:stream/[a-zA-Z0-9_.-]{1,128}$", var.stream_arn))
    error_message = "stream_arn is arn:aws:kinesis:REGION:ACCOUNT:stream/NAME."
  }
}

variable "processor" {
  description = "As in kcl run MODULE:THING."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_.]+:[A-Za-z0-9_.]+$", var.processor))
    error_message = "processor is MODULE:THING, as in kcl run orders:Orders."
  }
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

variable "create_table" {
  description = "May workers create the lease table."
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

variable "group_name" {
  description = "The Auto Scaling group whose lifecycle hook the worker holds; null for none."
  type        = string
  default     = null
}

variable "settings" {
  description = "More settings, as { KCL_LEASES_DURATION = \"5s\" }; they win."
  type        = map(string)
  default     = {}
}
