"""The simulator's HTTP/1.1 server."""
