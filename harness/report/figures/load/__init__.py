"""Figures of what was delivered under load, and of what failed."""
