variable "app_name" {
  description = "The application; the namespace of its metrics has the same name."
  type        = string
}

variable "unit" {
  description = "What there is more or less of, as \"task\"; for people."
  type        = string
}

variable "cpu" {
  description = "Where the CPU of all of them is in CloudWatch, each minute."
  type = object({
    namespace  = string
    dimensions = map(string)
  })
}

variable "scale_out_arn" {
  description = "The policy that starts some, in steps from one threshold on."
  type        = string
}

variable "scale_in_arn" {
  description = "The policy that stops one, and then rests: an alarm asks each minute for as long as it lasts."
  type        = string
}

variable "scale_out_lag_seconds" {
  description = "One threshold."
  type        = number
}

variable "scale_in_lag_seconds" {
  description = "Below it there is no lag to speak of."
  type        = number
}
