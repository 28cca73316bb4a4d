"""Normalises model output for comparison: texts, numbers, JSON."""
