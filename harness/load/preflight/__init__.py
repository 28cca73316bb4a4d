"""Checks of the account before a run, so that nothing is paid for in vain."""
