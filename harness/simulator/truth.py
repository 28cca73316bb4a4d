"""The server's own record of every request, to which tests and benchmarks compare the harness."""

from __future__ import annotations

from collections import deque

import msgspec

MAX_REQUESTS = 200_000
"""The oldest are dropped beyond this."""


class ServedRequest(msgspec.Struct, kw_only=True, gc=False):
    """One request as the server saw it. `*_ns` are CLOCK_MONOTONIC; None means that it did not happen."""

    request_id: str
    model_id: str
    api: str
    stream: bool
    status: int
    received_ns: int
    """The request was received completely."""
    first_ns: int | None = None
    """The first content chunk was written (an answer that is not streamed is one chunk)."""
    last_ns: int | None = None
    done_ns: int | None = None
    """Everything was written; None if the client left earlier."""
    chunks: int = 0
    output_tokens: int = 0


class Truth:
    """The most recent requests, in the order in which they ended."""

    def __init__(self) -> None:
        self._served: deque[ServedRequest] = deque(maxlen=MAX_REQUESTS)

    def add(self, served: ServedRequest) -> None:
        self._served.append(served)

    def clear(self) -> None:
        self._served.clear()

    def to_json(self) -> bytes:
        """`{"requests": [{"request_id": …}, …]}`."""
        return msgspec.json.encode({"requests": list(self._served)})
