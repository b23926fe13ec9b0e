variable "app_name" {
  description = "The application; its table has the same name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{3,255}$", var.app_name))
    error_message = "app_name is 3 to 255 letters, digits, '_', '-' and '.'."
  }
}

variable "point_in_time_recovery" {
  description = "Continuous backups. A restored table is refused by running workers, so they are for looking."
  type        = bool
  default     = true
}

variable "deletion_protection" {
  description = "Refuse to delete the table until this is off."
  type        = bool
  default     = true
}

variable "key_arn" {
  description = "A KMS key of yours for the table; null takes the one that AWS owns."
  type        = string
  default     = null
}
