"""The server's own account of every request, for tests and benchmarks to compare the harness with."""

from __future__ import annotations

from collections import deque

import msgspec

KEPT = 200_000
"""Requests; the oldest are dropped."""


class Served(msgspec.Struct, kw_only=True, gc=False):
    """One request as the server saw it. `*_ns`: CLOCK_MONOTONIC; None: did not happen (`done_ns`: the client left)."""

    request_id: str
    model_id: str
    api: str
    stream: bool
    status: int
    received_ns: int
    """The request was complete."""
    first_ns: int | None = None
    """The first content chunk was written (a whole answer is one chunk)."""
    last_ns: int | None = None
    done_ns: int | None = None
    """Everything was written."""
    chunks: int = 0
    output_tokens: int = 0


class Truth:
    """The last requests, in the order in which they ended."""

    def __init__(self) -> None:
        self._served: deque[Served] = deque(maxlen=KEPT)

    def add(self, served: Served) -> None:
        self._served.append(served)

    def clear(self) -> None:
        self._served.clear()

    def to_json(self) -> bytes:
        """`{"requests": [{"request_id": …}, …]}`."""
        return msgspec.json.encode({"requests": list(self._served)})
