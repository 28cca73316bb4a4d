"""The search for each target's knee."""
