"""Sharing a load among the nodes of a Ray cluster."""
