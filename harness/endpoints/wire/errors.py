"""What the client `wire` raises; `failures` names each with an error kind."""

from __future__ import annotations


class ConnectTimeout(Exception):
    """No connection, encryption included, within the deadline."""


class ConnectFailed(ConnectionError):
    """No connection: no such host, nobody listens, or a certificate that is not trusted."""


class ConnectionLost(ConnectionError):
    """The server hung up before its answer was whole."""


class ProtocolError(Exception):
    """What the server says is no HTTP/1.1 answer."""
