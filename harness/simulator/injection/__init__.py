"""Faults that the simulator injects on request, and the plan that says which requests get them."""
