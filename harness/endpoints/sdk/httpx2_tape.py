"""Event hooks for httpx2 that record on a tape what the SDK's HTTP client sends and receives."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from operator import attrgetter
from typing import Any, Self

import httpx2

from harness.endpoints.base import CURRENT_TAPE, Tape

_find_h11 = attrgetter("_stream._httpcore_stream._stream._connection._h11_state")
"""The h11 state of a response stream's connection, for which httpx2 has no public API."""


class _TapedStream(httpx2.AsyncByteStream):
    """A raw response body that records every piece on the tape before passing it on.

    If the connection received more than the answer, it is not reused, as h11 would take the rest for the next answer.
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
        except AttributeError:  # a canned answer, which has no connection
            h11 = None
        if h11 is not None and (h11.trailing_data[0] or _holds_more(self._network.get_extra_info("ssl_object"))):
            h11.send_failed()  # prevents reuse
        await self._stream.aclose()


def _holds_more(encrypted: ssl.SSLObject | None) -> bool:
    """Whether more encrypted bytes were received. `encrypted` None: the connection is not encrypted."""
    try:
        return encrypted is not None and bool(encrypted.read(1))
    except ssl.SSLError:  # no more bytes for now
        return False


async def _on_request(request: httpx2.Request) -> None:
    tape = CURRENT_TAPE.get()

    async def trace(event: str, info: dict[str, Any]) -> None:
        if event == "http11.send_request_body.complete":
            tape.mark_sent()

    request.extensions["trace"] = trace


async def _on_head(response: httpx2.Response) -> None:
    tape = CURRENT_TAPE.get()
    tape.mark_head(response.status_code, dict(response.headers.items()))
    response.headers.pop("content-encoding", None)  # the request rules out compression, so nothing is decompressed
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    response.stream = _TapedStream(response.stream, tape, response.extensions.get("network_stream"))


TAPE_HOOKS: dict[str, list[Callable[..., Any]]] = {"request": [_on_request], "response": [_on_head]}
"""`event_hooks` for an httpx2 client. They use the tape of the sending task."""
