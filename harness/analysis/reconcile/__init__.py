"""A run against Bedrock's own invocation log."""
