"""The reply to an attempt, which the dialects fill event by event."""

from __future__ import annotations

from typing import Annotated

import msgspec

from harness.endpoints.base import ErrorKind

Tokens = Annotated[int, msgspec.Meta(ge=0, le=10**12)]
Milliseconds = Annotated[float, msgspec.Meta(ge=0, le=1e12)]


class StreamFailure(Exception):
    """An error event inside an otherwise well-formed stream."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class ToolCall(msgspec.Struct, kw_only=True):
    """A tool call while it is streamed: its name, and its input as pieces of JSON text."""

    name: str
    pieces: list[str] = []

    def to_line(self) -> str:
        """`{"tool": NAME, "input": {…}}` on one line. An input that is not valid JSON becomes a string."""
        text = "".join(self.pieces)
        try:
            value = msgspec.json.decode(text or "{}")
        except (msgspec.DecodeError, RecursionError):
            value = text
        return msgspec.json.encode({"tool": self.name, "input": value}).decode()


class Citation(msgspec.Struct, frozen=True, kw_only=True):
    """A citation in the answer, as the api returned it; pages are None if the document has none."""

    document: str | None = None
    start_page: int | None = None
    end_page: int | None = None
    text: str = ""


class Reply(msgspec.Struct, kw_only=True):
    """The outcome of an exchange. `*_ns` are CLOCK_MONOTONIC; None means that it did not happen or was not reported.

    `text`, `citations` and `stop_reason` come from the model and are untrusted, but `read_tape` redacts this process's
    secrets in them. A reply that is not `ok` has whatever arrived before the failure.
    """

    text: str | None = None
    """The texts, then each tool call as one line of JSON, `{"tool": NAME, "input": {…}}`. Set by `read_tape`."""
    citations: str | None = None
    """JSON list of `{"document", "start_page", "end_page", "text"}`. None if there were none. Set by `read_tape`."""
    texts: list[str] = []
    """The parts of `text` while the tape is read; like `tools` and `cited`, empty afterwards."""
    tools: dict[int, ToolCall] = {}
    """Tool calls by the index of their block, in order."""
    cited: list[Citation] = []
    chunk_ns: list[int] = []
    """Arrival of each non-empty piece of text, thinking or a tool call (whose name is its first piece). Without
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
        """The texts, then each tool call on a line. None if there is neither and the answer is incomplete."""
        if not (self.texts or self.tools or self.complete):
            return None
        text, calls = "".join(self.texts), "\n".join(call.to_line() for call in self.tools.values())
        return f"{text}\n{calls}" if text and calls and not text.endswith("\n") else text + calls

    def join_citations(self) -> str | None:
        """The citations as a JSON list. None if there are none."""
        return msgspec.json.encode(self.cited).decode() if self.cited else None
