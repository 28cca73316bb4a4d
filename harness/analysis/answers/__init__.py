"""The answers of one or two runs, prompt by prompt, for people to read."""
