"""The client `wire`: every api over the harness's own sockets."""
