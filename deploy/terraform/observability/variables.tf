variable "app_name" {
  description = "The application; the namespace of its metrics and its lease table have the same name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{3,255}$", var.app_name))
    error_message = "app_name is 3 to 255 letters, digits, '_', '-' and '.'."
  }
}

variable "stream_name" {
  type = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9_.-]{1,128}$", var.stream_name))
    error_message = "stream_name is the name of the stream alone, not its ARN."
  }
}

variable "retention_hours" {
  description = "Of the stream, as kcl stream describe shows it; beyond it records are lost."
  type        = number
  default     = 24

  validation {
    condition     = var.retention_hours >= 24 && var.retention_hours <= 8760
    error_message = "retention_hours is 24 to 8760, which is what a stream can have."
  }
}

variable "lag_seconds" {
  description = "The lag that somebody should look at."
  type        = number
  default     = 300
}

variable "topic_arns" {
  description = "SNS topics that alarms go to."
  type        = list(string)
  default     = []
}
