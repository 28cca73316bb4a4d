"""Async multi-model evaluation and load-test harness for Claude on Amazon Bedrock."""

__version__ = "0.1.0"
