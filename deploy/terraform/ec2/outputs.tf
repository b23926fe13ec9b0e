output "group_name" {
  value = aws_autoscaling_group.workers.name
}

output "security_group_id" {
  description = "For endpoints of the VPC to let in."
  value       = aws_security_group.workers.id
}

output "role_name" {
  description = "For what the program itself needs, attach a policy to this role."
  value       = aws_iam_role.worker.name
}

output "role_arn" {
  value = aws_iam_role.worker.arn
}
