"""What an answer says so far: what the dialects read off the wire, folded event by event."""

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


class ToolCall(msgspec.Struct, kw_only=True):
    """A call of a tool as it grows: its name, and its input as pieces of JSON text."""

    name: str
    pieces: list[str] = []

    def to_line(self) -> str:
        """`{"tool": NAME, "input": {…}}` on one line; an input that is no whole JSON stands there as a string."""
        said = "".join(self.pieces)
        try:
            given = msgspec.json.decode(said or "{}")
        except (msgspec.DecodeError, RecursionError):
            given = said
        return msgspec.json.encode({"tool": self.name, "input": given}).decode()


class Citation(msgspec.Struct, frozen=True, kw_only=True):
    """What a sentence of the answer rests on, as the api gave it; pages are None where the document has none."""

    document: str | None = None
    start_page: int | None = None
    end_page: int | None = None
    text: str = ""


class Content(msgspec.Struct, kw_only=True):
    """An answer as it grows. What has not been said is None; `complete` once the terminal event is here."""

    texts: list[str] = []
    tools: dict[int, ToolCall] = {}
    """By the index of their block, in the order in which they began."""
    citations: list[Citation] = []
    chunk_ns: list[int] = []
    """Arrival of each non-empty piece of text, thinking or a tool call (its name is the first of its pieces)."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    stop_reason: str | None = None
    latency_ms: float | None = None
    first_byte_ms: float | None = None
    complete: bool = False

    @property
    def text(self) -> str | None:
        """The texts, then each tool call as one line of JSON. None: nothing was said, and the answer is not over."""
        if not (self.texts or self.tools or self.complete):
            return None
        text, calls = "".join(self.texts), "\n".join(call.to_line() for call in self.tools.values())
        return f"{text}\n{calls}" if text and calls and not text.endswith("\n") else text + calls

    @property
    def citations_json(self) -> str | None:
        """The citations as a JSON list; None when none came."""
        return msgspec.json.encode(self.citations).decode() if self.citations else None
