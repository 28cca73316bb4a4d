"""The client `wire`: every api over sockets of its own."""
