"""Figures of what answers cost, and what a routing costs."""
