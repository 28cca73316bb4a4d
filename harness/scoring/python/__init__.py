"""Runs the user's check functions in separate processes."""
