"""The response that a fault spoils, and the script of bytes that the fault makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from harness.endpoints.dialects.eventstream import encode_event
from harness.simulator.dialects.base import Dialect, Event, Reply
from harness.simulator.faults import Fault
from harness.simulator.http.connection import LAST_CHUNK, encode_chunk, encode_head
from harness.simulator.http.pump import Ending
from harness.simulator.performance import TimedAnswer
from harness.simulator.truth import ServedRequest


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """What is written to the connection, and what happens to it afterwards."""

    pieces: list[bytes]
    gap_ns: int | None = None
    """Between two pieces. None: they are spread over the time that the answer takes."""
    ending: Ending = "keep"


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What the service would send: headers, and the events of a stream or a whole answer as the only event."""

    stream: bool
    headers: dict[str, str]
    """Without those that frame the body."""
    before: list[Event]
    """The events before the text."""
    content: list[Event]
    """The events with the text, one for each chunk. The whole answer, if it is not streamed."""
    after: list[Event]
    frame: Callable[[Event], bytes]
    frame_raw: Callable[[Event], bytes]
    """Frames an event whose data need not be JSON."""
    interruption: Callable[[Fault], bytes]

    @property
    def events(self) -> list[Event]:
        return [*self.before, *self.content, *self.after]

    def frames(self, events: Sequence[Event] | None = None) -> list[bytes]:
        """The events (all of them, by default) as the bytes of the body."""
        return [self.frame(event) for event in (self.events if events is None else events)]

    def head(self, length: int | None = None, content_type: str | None = None, encoding: str | None = None) -> bytes:
        """Status line and headers. `length`: of the body, which is chunked without it."""
        framing = {"Transfer-Encoding": "chunked"} if length is None else {"Content-Length": str(length)}
        given = {"Content-Type": content_type, "Content-Encoding": encoding}
        changed = {name: value for name, value in given.items() if value is not None}
        return encode_head(200, {**self.headers, **changed, **framing})

    def whole(self, frames: Sequence[bytes] | None = None, content_type: str | None = None) -> list[bytes]:
        """Head and body, in the pieces in which the service would send them, with the given frames as body."""
        frames = self.frames() if frames is None else frames
        if not self.stream:
            body = b"".join(frames)
            return [self.head(len(body), content_type) + body]
        return [self.head(None, content_type), *map(encode_chunk, frames), LAST_CHUNK]

    def first_half(self) -> list[bytes]:
        """Head and half of the text: the first half of a whole answer, or the events up to there."""
        if not self.stream:
            body = self.content[0].data
            return [self.head(len(body)) + body[: len(body) // 2]]
        half = self.content[: (len(self.content) + 1) // 2]
        return [self.head(), *map(encode_chunk, self.frames([*self.before, *half]))]

    def changed(self, change: Callable[[Any], Any]) -> list[bytes]:
        """The response with the JSON of every event changed."""
        return self.whole(self.frames([_changed(event, change) for event in self.events]))


def _changed(event: Event, change: Callable[[Any], Any]) -> Event:
    try:
        return Event(event.name, msgspec.json.encode(change(msgspec.json.decode(event.data))))
    except msgspec.DecodeError:  # `[DONE]`
        return event


def _data(event: Event) -> bytes:
    return event.data


def _encode_event(event: Event) -> bytes:
    return encode_event(event.name, event.data)


def make_response(dialect: Dialect, reply: Reply, timed: TimedAnswer, served: ServedRequest) -> Response:
    """The response of the service to a request, before it is encoded."""
    headers = {"x-amzn-RequestId": reply.request_id, "request-id": reply.request_id}
    if not served.stream:
        return Response(
            stream=False,
            headers=headers | {"Content-Type": "application/json"} | dialect.headers(reply),
            before=[],
            content=[Event("", dialect.body(reply))],
            after=[],
            frame=_data,
            frame_raw=_data,
            interruption=dialect.interruption,
        )
    before, content, after = list(dialect.opening(reply)), list[Event](), list[Event]()
    for index, (block, texts) in enumerate(zip(timed.answer.blocks, timed.texts, strict=True)):
        (after if content else before).extend(dialect.start(block, index))
        content += [*after, *(dialect.delta(block.kind, index, text) for text in texts)]
        after = list(dialect.stop(block, index))
    return Response(
        stream=True,
        headers=headers | {"Content-Type": dialect.stream_headers["Content-Type"]},
        before=before,
        content=content,
        after=[*after, *dialect.ending(reply)],
        frame=dialect.frame,
        frame_raw=_encode_event if served.api == "converse" else dialect.frame,
        interruption=dialect.interruption,
    )
