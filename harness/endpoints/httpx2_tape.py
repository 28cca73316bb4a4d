"""The tape's place in httpx2: event hooks for the SDK's HTTP client that stamp what is sent and what arrives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Self

import httpx2

from harness.endpoints.base import CURRENT_TAPE, Tape


class _TapedStream(httpx2.AsyncByteStream):
    """A response's raw body that puts every piece on the tape before it hands it on."""

    def __init__(self, stream: httpx2.AsyncByteStream, tape: Tape) -> None:
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
        await self._stream.aclose()


async def _on_request(request: httpx2.Request) -> None:
    tape = CURRENT_TAPE.get()

    async def trace(event: str, info: dict[str, Any]) -> None:
        if event == "http11.send_request_body.complete":
            tape.mark_sent()

    request.extensions["trace"] = trace


async def _on_head(response: httpx2.Response) -> None:
    tape = CURRENT_TAPE.get()
    tape.mark_head(response.status_code, dict(response.headers.items()))
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    response.stream = _TapedStream(response.stream, tape)


TAPE_HOOKS: dict[str, list[Callable[..., Any]]] = {"request": [_on_request], "response": [_on_head]}
"""`event_hooks` of an httpx2 client. The tape is that of the task that sends."""
