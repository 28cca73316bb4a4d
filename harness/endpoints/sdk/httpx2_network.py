"""The network of httpx2: rejects an answer that is not HTTP at once; h11 would wait for the end of a head."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Any

import httpcore2
import httpx2

_VERSION = b"HTTP/"


class ProtocolError(httpcore2.RemoteProtocolError):
    """The server's answer is not HTTP."""


def reject_other_protocols(client: httpx2.AsyncClient) -> None:
    """Have all transports of the client check how each answer begins."""
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx2.AsyncHTTPTransport):
            transport._pool._network_backend = _Backend(transport._pool._network_backend)


class _Backend(httpcore2.AsyncNetworkBackend):
    """Opens streams that check how each answer begins."""

    def __init__(self, backend: httpcore2.AsyncNetworkBackend) -> None:
        self._backend = backend

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (httpcore's own parameter)
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> _Stream:
        """Connect to a host."""
        return _Stream(await self._backend.connect_tcp(host, port, timeout, local_address, socket_options))

    async def sleep(self, seconds: float) -> None:
        """Wait before another attempt to connect."""
        await self._backend.sleep(seconds)


class _Stream(httpcore2.AsyncNetworkStream):
    """Checks the first bytes that arrive after each request."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream
        self._awaits_answer = False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """The next bytes. ProtocolError: an answer begins with them, and is not HTTP."""
        data = await self._stream.read(max_bytes, timeout)
        if self._awaits_answer and data:
            self._awaits_answer = False
            if not _VERSION.startswith(data.lstrip(b"\r\n")[: len(_VERSION)]):
                raise ProtocolError("the server's answer is not HTTP")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Send part of a request."""
        self._awaits_answer = True
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close the stream."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> _Stream:
        """Encrypt what follows."""
        return _Stream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """Facts about the socket."""
        return self._stream.get_extra_info(info)
