"""Detects an error inside a stream of the client `wire`, which ends the exchange even if the server does not."""

from __future__ import annotations

from harness.endpoints.base import Tape, WireRequest
from harness.endpoints.read_tape import StreamReading
from harness.endpoints.reply import Reply

SSE_APIS = ("mantle", "messages", "openai")
"""Apis that answer with server-sent events; the others answer with event stream frames."""

_SSE_MARKS = (b'"error"',)
_FRAME_MARKS = (b"\x0d:message-type\x07\x00\x09exception", b"\x0d:message-type\x07\x00\x05error")
"""Byte sequences in every error inside a stream. JSON text contains neither control characters nor bare quotes, so the
model's output rarely matches; if it does, the stream is parsed, and only that decides."""


class StreamWatch:
    """Called after each piece of a body: whether the stream has reported an error.

    A mark may span pieces, so the end of a piece that could be part of one is searched again with the next piece. After
    a mark the stream is parsed, each piece once, until no frame or event is incomplete.
    """

    __slots__ = ("_mark_bytes", "_marks", "_overlap", "_parsing", "_reading", "_tail")

    def __init__(self, request: WireRequest) -> None:
        self._marks, self._mark_bytes, self._overlap = _SSE if request.api in SSE_APIS else _FRAMES
        self._reading = StreamReading(request, Reply())
        self._parsing = False
        self._tail = b""

    def __call__(self, tape: Tape) -> bool:
        if not self._parsing:
            piece = tape.pieces[-1]
            if self._tail:
                piece = self._tail + piece
            for mark in self._marks:
                if mark in piece:
                    break
            else:
                self._tail = piece[-self._overlap :] if piece[-1] in self._mark_bytes else b""
                return False
        if tape.status is None or not 200 <= tape.status < 300:
            return False
        failure = self._reading.read_on(tape)
        self._parsing, self._tail = self._reading.pending > 0, b""
        return failure is not None


def _measure(marks: tuple[bytes, ...]) -> tuple[tuple[bytes, ...], bytes, int]:
    """The marks, the bytes after which one may continue, and the most bytes of one that can precede its last."""
    return marks, b"".join(mark[:-1] for mark in marks), max(map(len, marks)) - 1


_SSE, _FRAMES = _measure(_SSE_MARKS), _measure(_FRAME_MARKS)
