"""Sharing a load among several processes."""
