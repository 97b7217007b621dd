# Uploads a release of Ticketbridge and deploys its template. Everything else is in the template.

data "aws_s3_bucket" "release" {
  bucket = var.bucket
}

resource "aws_s3_object" "package" {
  for_each = fileset(var.release, "*.zip")

  bucket      = data.aws_s3_bucket.release.id
  key         = "${var.prefix}${each.value}"
  source      = "${var.release}/${each.value}"
  source_hash = filemd5("${var.release}/${each.value}")
}

# It is too large to be passed in a call.
resource "aws_s3_object" "template" {
  bucket      = data.aws_s3_bucket.release.id
  key         = "${var.prefix}template-${filemd5("${var.release}/template.yaml")}.yaml"
  source      = "${var.release}/template.yaml"
  source_hash = filemd5("${var.release}/template.yaml")
}

resource "aws_cloudformation_stack" "ticketbridge" {
  name         = var.name
  template_url = "https://${data.aws_s3_bucket.release.bucket_regional_domain_name}/${aws_s3_object.template.key}"
  # The roles have generated names, and the template uses the transform of SAM.
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = merge(var.parameters, {
    ArtifactBucket = data.aws_s3_bucket.release.id
    ArtifactPrefix = var.prefix
  })

  depends_on = [aws_s3_object.package]
}
