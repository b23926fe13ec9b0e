output "partition" {
  value = local.partition
}

output "region" {
  value = local.region
}

output "account_id" {
  value = local.account
}

output "suffix" {
  description = "Of the names of AWS' services in this partition."
  value       = local.suffix
}

output "policy" {
  description = "What kcl iam policy worker prints."
  value = jsonencode({
    Version   = "2012-10-17"
    Statement = [for statement in local.statements : jsondecode(statement)]
  })
}

output "settings" {
  description = "The environment of a worker, name by name."
  value       = local.settings
}

output "processor" {
  value = var.processor
}
