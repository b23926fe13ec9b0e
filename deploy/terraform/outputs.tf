output "cluster_name" {
  value = aws_ecs_cluster.this.name
}

output "service_name" {
  value = aws_ecs_service.workers.name
}

output "log_group_name" {
  value = aws_cloudwatch_log_group.workers.name
}

output "worker_role_arn" {
  value = aws_iam_role.worker.arn
}

output "table_name" {
  value = var.app_name
}
