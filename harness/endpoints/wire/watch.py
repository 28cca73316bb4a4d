"""How the client `wire` watches a stream: an error inside it ends the exchange, though the server may never end it."""

from __future__ import annotations

from harness.endpoints.base import Tape, WireRequest
from harness.endpoints.read_tape import StreamReading
from harness.endpoints.reply import Reply

SSE_APIS = ("mantle", "messages", "openai")
"""Apis that answer with server-sent events; the others answer with event stream frames."""

_SSE_MARKS = (b'"error"',)
_FRAME_MARKS = (b"\x0d:message-type\x07\x00\x09exception", b"\x0d:message-type\x07\x00\x05error")
"""What every error inside a stream contains. The text in JSON holds neither control characters nor bare quotes, so
these are seldom a model's own words; where one is, the stream is read, and only that decides."""


class StreamWatch:
    """Finds out after each piece of one exchange's body whether the stream has reported its own failure.

    A mark may lie across pieces: the end of a piece that could be within one is looked at again with the next. A stream
    with a mark is read up to there, each piece once however many marks there are, and on until no frame or event is
    left unfinished.
    """

    __slots__ = ("_in_doubt", "_inside", "_marks", "_reach", "_reading", "_tail")

    def __init__(self, request: WireRequest) -> None:
        self._marks, self._inside, self._reach = _SSE if request.api in SSE_APIS else _FRAMES
        self._reading = StreamReading(request, Reply())
        self._in_doubt = False
        self._tail = b""

    def __call__(self, tape: Tape) -> bool:
        if not self._in_doubt:
            piece = tape.pieces[-1]
            if self._tail:
                piece = self._tail + piece
            for mark in self._marks:
                if mark in piece:
                    break
            else:
                self._tail = piece[-self._reach :] if piece[-1] in self._inside else b""
                return False
        if tape.status is None or not 200 <= tape.status < 300:
            return False
        failure = self._reading.read_on(tape)
        self._in_doubt, self._tail = self._reading.pending > 0, b""
        return failure is not None


def _measure(marks: tuple[bytes, ...]) -> tuple[tuple[bytes, ...], bytes, int]:
    """Marks, the bytes after which one may go on, and how many of it can have come before its last."""
    return marks, b"".join(mark[:-1] for mark in marks), max(map(len, marks)) - 1


_SSE, _FRAMES = _measure(_SSE_MARKS), _measure(_FRAME_MARKS)
