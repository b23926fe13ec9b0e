output "cluster_name" {
  value = aws_ecs_cluster.this.name
}

output "service_name" {
  value = aws_ecs_service.workers.name
}

output "log_group_name" {
  value = aws_cloudwatch_log_group.workers.name
}

output "security_group_id" {
  description = "For endpoints of the VPC to let in."
  value       = aws_security_group.workers.id
}

output "task_role_name" {
  description = "For what the program itself needs, attach a policy to this role."
  value       = aws_iam_role.worker.name
}

output "task_role_arn" {
  value = aws_iam_role.worker.arn
}
