"""The output of single commands."""
