"""Figures of how many answers are right, and of which prompts."""
