"""Decodes server-sent events, the framing of the Messages API and of chat completions."""

from __future__ import annotations

from collections.abc import Iterator

from harness.endpoints.dialects.eventstream import Frame

NEWLINE = b"\n"


class SseDecoder:
    """Takes bytes as they arrive, and yields complete events as event stream frames.

    A frame's headers are `:message-type` (always `event`) and `:event-type` (the `event:` field); its payload is the
    `data:` lines. Lines may end in CR LF. `pending`: bytes of an incomplete event, without comments and empty fields.
    """

    __slots__ = ("_data", "_event", "_held", "_line")

    def __init__(self) -> None:
        self._line = bytearray()
        self._event = ""
        self._data: list[bytes] = []
        self._held = 0

    @property
    def pending(self) -> int:
        return len(self._line) + self._held

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the events completed by `data`. Lines that are not fields are ignored, as in the standard."""
        first, *rest = data.split(NEWLINE)
        self._line += first
        for following in rest:
            frame = self._take(bytes(self._line).removesuffix(b"\r"))
            self._line = bytearray(following)
            if frame is not None:
                yield frame

    def _take(self, line: bytes) -> Frame | None:
        """Take one line; returns the frame that it completes, if any."""
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._held += len(value)
        elif name == b"event":
            self._event = value.decode(errors="replace")
        return None

    def _dispatch(self) -> Frame | None:
        event, data = self._event, self._data
        self._event, self._data, self._held = "", [], 0
        if not data:
            return None
        return Frame({":message-type": "event", ":event-type": event}, NEWLINE.join(data))
