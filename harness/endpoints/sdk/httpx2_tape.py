"""Taping in httpx2: event hooks for the SDK's HTTP client that stamp what is sent and what arrives."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from operator import attrgetter
from typing import Any, Self

import httpx2

from harness.endpoints.base import CURRENT_TAPE, Tape, check_fields

_find_h11 = attrgetter("_stream._httpcore_stream._stream._connection._h11_state")
"""Response stream → the h11 state of its connection, which httpx2 does not expose."""


class _TapedStream(httpx2.AsyncByteStream):
    """A response's raw body that puts every piece on the tape before passing it on.

    On close it also discards a connection with surplus bytes, which h11 would read as part of the next response.
    """

    def __init__(self, stream: httpx2.AsyncByteStream, tape: Tape, network: Any) -> None:
        self._network = network
        self._stream = stream
        self._pieces: AsyncIterator[bytes] = aiter(stream)
        self._tape = tape

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        piece = await anext(self._pieces)
        self._tape.add(piece)
        return piece

    async def aclose(self) -> None:
        try:
            h11 = _find_h11(self._stream)
        except AttributeError:  # a canned answer has no connection
            h11 = None
        if h11 is not None and (h11.trailing_data[0] or _has_surplus(self._network.get_extra_info("ssl_object"))):
            h11.send_failed()  # the connection is not reused
        await self._stream.aclose()


def _has_surplus(encrypted: ssl.SSLObject | None) -> bool:
    """Whether received bytes are waiting to be decrypted. `encrypted` is None without TLS."""
    try:
        return encrypted is not None and bool(encrypted.read(1))
    except ssl.SSLError:  # nothing to read at the moment
        return False


async def _on_request(request: httpx2.Request) -> None:
    tape = CURRENT_TAPE.get()

    async def trace(event: str, info: dict[str, Any]) -> None:
        if event == "http11.send_request_body.complete":
            tape.mark_sent()

    request.extensions["trace"] = trace


async def _on_head(response: httpx2.Response) -> None:
    tape = CURRENT_TAPE.get()
    check_fields(response.headers.raw)
    tape.mark_head(response.status_code, dict(response.headers.items()))
    response.headers.pop("content-encoding", None)  # never decompress: no compression was requested
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    response.stream = _TapedStream(response.stream, tape, response.extensions.get("network_stream"))


TAPE_HOOKS: dict[str, list[Callable[..., Any]]] = {"request": [_on_request], "response": [_on_head]}
"""`event_hooks` for an httpx2 client. They use the tape of the sending task."""
