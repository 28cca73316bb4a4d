"""Checks targets, prompts and load against the catalog and the limits of the apis."""
