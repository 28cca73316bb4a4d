"""Commands that compare runs and judge the difference."""
