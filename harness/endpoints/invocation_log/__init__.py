"""Reads Bedrock's model invocation log: its sources, its records, and the prompts in them."""
