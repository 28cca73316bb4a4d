"""A sweep's report: its sections and its figure."""
