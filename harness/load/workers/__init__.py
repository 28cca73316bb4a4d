"""A load that several processes share."""
