"""Runs on disk: every attempt of a run, stored exactly once."""
