output "table_name" {
  value = aws_dynamodb_table.leases.name
}

output "table_arn" {
  value = aws_dynamodb_table.leases.arn
}
