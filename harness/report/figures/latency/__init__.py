"""Figures of how long answers take, and where the time goes."""
