"""All runs of a suite over time."""
