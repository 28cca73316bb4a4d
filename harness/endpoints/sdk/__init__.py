"""The SDKs as clients, unmodified, their bytes taped."""
