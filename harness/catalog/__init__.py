"""What can be called on Bedrock, and what it costs."""
