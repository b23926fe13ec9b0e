output "group_name" {
  value = aws_autoscaling_group.workers.name
}

output "role_name" {
  description = "For what the program itself needs, attach a policy to this role."
  value       = aws_iam_role.worker.name
}

output "role_arn" {
  value = aws_iam_role.worker.arn
}
