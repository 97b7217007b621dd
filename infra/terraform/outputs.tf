output "outputs" {
  description = "The outputs of the stack, such as WebhookUrl, SetupUrl and OperatorUrl"
  value       = aws_cloudformation_stack.ticketbridge.outputs
}
