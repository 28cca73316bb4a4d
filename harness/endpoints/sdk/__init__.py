"""Clients that use unmodified SDKs and tape their bytes."""
