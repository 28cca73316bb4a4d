"""Turns logged traffic into a suite: sampled, deduplicated and redacted."""
