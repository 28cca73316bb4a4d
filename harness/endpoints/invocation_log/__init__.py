"""Bedrock's model invocation log: where it is, its files, its records, and the prompts in them."""
