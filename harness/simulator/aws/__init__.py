"""The simulated AWS account and the services around Bedrock."""
