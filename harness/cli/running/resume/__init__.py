"""`harness run --resume`: completes a run that ended early."""
