"""Judges against the labels of people."""
