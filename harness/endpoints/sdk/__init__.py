"""Clients that use unmodified SDKs and record their bytes on tapes."""
