"""Intervals, tests and their corrections: pure functions over numbers."""
