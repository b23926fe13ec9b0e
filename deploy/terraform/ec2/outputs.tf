output "group_name" {
  value = aws_autoscaling_group.workers.name
}

output "role_arn" {
  value = aws_iam_role.worker.arn
}
