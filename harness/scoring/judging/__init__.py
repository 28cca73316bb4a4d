"""Judges: asking them, storing their verdicts, comparing them with people, and forecasting their cost."""
