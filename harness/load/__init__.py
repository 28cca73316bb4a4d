"""Decides when requests are due, and sends them."""
