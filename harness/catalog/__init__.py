"""The models on Bedrock, where they can be called, and what they cost."""
