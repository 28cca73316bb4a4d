"""The outcome of an attempt, into which the dialects fold an answer event by event."""

from __future__ import annotations

from typing import Annotated

import msgspec

from harness.endpoints.base import ErrorKind

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
        """`{"tool": NAME, "input": {…}}` on one line; an input that is not valid JSON becomes a string."""
        text = "".join(self.pieces)
        try:
            value = msgspec.json.decode(text or "{}")
        except (msgspec.DecodeError, RecursionError):
            value = text
        return msgspec.json.encode({"tool": self.name, "input": value}).decode()


class Citation(msgspec.Struct, frozen=True, kw_only=True):
    """What a sentence of the answer rests on, as the api gave it; pages are None where the document has none."""

    document: str | None = None
    start_page: int | None = None
    end_page: int | None = None
    text: str = ""


class Reply(msgspec.Struct, kw_only=True):
    """What came of an exchange. `*_ns` are stamps on CLOCK_MONOTONIC; None: did not happen, or is not in the answer.

    `text`, `citations` and `stop_reason` are the model's: hostile input, but no secret of this process is in them once
    the tape is read (`read_tape`). A reply that is not `ok` keeps whatever had come until then.
    """

    text: str | None = None
    """The texts, then each tool call as one line of JSON, `{"tool": NAME, "input": {…}}`. Set once the tape is read."""
    citations: str | None = None
    """JSON: a list of `{"document", "start_page", "end_page", "text"}`. None: none came. Set once the tape is read."""
    texts: list[str] = []
    """What `text` is made of while the tape is read, as `tools` and `cited` are; empty afterwards."""
    tools: dict[int, ToolCall] = {}
    """By the index of their block, in the order in which they began."""
    cited: list[Citation] = []
    chunk_ns: list[int] = []
    """Arrival of each non-empty piece of text, thinking or a tool call (its name is the first of its pieces); without
    streaming, of the whole body."""
    complete: bool = False
    """Whether the terminal event has arrived."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    stop_reason: str | None = None
    server_latency_ms: float | None = None
    server_first_byte_ms: float | None = None
    http_status: int | None = None
    aws_request_id: str | None = None
    error_kind: ErrorKind | None = None
    error_code: str | None = None
    error_message: str | None = None

    @property
    def ok(self) -> bool:
        return self.error_kind is None

    @property
    def first_ns(self) -> int | None:
        """Arrival of the first content chunk."""
        return self.chunk_ns[0] if self.chunk_ns else None

    @property
    def last_ns(self) -> int | None:
        """Arrival of the last content chunk."""
        return self.chunk_ns[-1] if self.chunk_ns else None

    def join_texts(self) -> str | None:
        """The texts, then each tool call on a line. None: there is no text, and the answer is not over."""
        if not (self.texts or self.tools or self.complete):
            return None
        text, calls = "".join(self.texts), "\n".join(call.to_line() for call in self.tools.values())
        return f"{text}\n{calls}" if text and calls and not text.endswith("\n") else text + calls

    def join_citations(self) -> str | None:
        """The citations as a JSON list; None when none came."""
        return msgspec.json.encode(self.cited).decode() if self.cited else None
