"""The made-up account and the AWS services around Bedrock."""
