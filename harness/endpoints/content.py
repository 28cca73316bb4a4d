"""What an answer says so far: what both dialects read off the wire, folded event by event."""

from __future__ import annotations

from typing import Annotated

import msgspec

Tokens = Annotated[int, msgspec.Meta(ge=0, le=10**12)]
Milliseconds = Annotated[float, msgspec.Meta(ge=0, le=1e12)]


class StreamFailure(Exception):
    """The model's own error event inside a stream that is otherwise well-formed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Content(msgspec.Struct, kw_only=True):
    """An answer as it grows. What has not been said is None; `complete` once the terminal event is here."""

    texts: list[str] = []
    chunk_ns: list[int] = []
    """Arrival of each non-empty piece of text, thinking or tool input."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    stop_reason: str | None = None
    latency_ms: float | None = None
    first_byte_ms: float | None = None
    complete: bool = False
