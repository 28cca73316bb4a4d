"""A connection of the client `wire`: sends a request and tapes its answer, with httptools as HTTP/1.1 parser."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import cast

import httptools

from harness import clock
from harness.endpoints.base import MAX_FIELD_COUNT, MAX_FIELDS, AnswerTooLong, ProtocolError, Tape, check_field
from harness.endpoints.wire.connect import ConnectionLost

SLICE = 256 * 1024
"""Bytes of a body written at a time; the next slice follows once the socket has taken this one."""
MAX_HEAD = 1024 * 1024
"""Bytes before the answer's body, more than one read can return; anything longer is garbage."""

HasFailed = Callable[[Tape], bool]

_BODILESS = frozenset({204, 304})


class WireConnection(asyncio.Protocol):
    """Makes one exchange after the other. `reusable` says whether another may follow.

    `data_received` takes the stamp before it parses anything, and tapes it with the bytes of the body. The sending task
    wakes up once, when the exchange is over.
    """

    __slots__ = (
        "_at_ns",
        "_bodies",
        "_complete",
        "_drained",
        "_field_count",
        "_fields_size",
        "_framed",
        "_has_failed",
        "_head_size",
        "_headers",
        "_on_lost",
        "_over",
        "_parser",
        "_paused",
        "_poll",
        "_reading",
        "_tape",
        "_transport",
        "idle_since_ns",
        "lost",
        "on_body",
        "reusable",
    )

    def __init__(self, on_lost: Callable[[WireConnection], None]) -> None:
        self._on_lost = on_lost
        self._bodies: list[bytes] = []
        self.on_body = self._bodies.append
        self._parser = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(lenient_headers=True)  # for values folded over several lines
        self._transport: asyncio.Transport | None = None
        self._tape: Tape | None = None
        self._over: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._paused = False
        self._poll: select.poll | None = None
        self._has_failed: HasFailed | None = None
        self._headers: dict[str, str] = {}
        self._head_size = self._fields_size = self._field_count = 0
        self._at_ns = 0
        self._reading = False
        self._framed = False
        self._complete = False
        self.lost = False
        self.reusable = False
        self.idle_since_ns = 0

    async def exchange(self, head: bytes, body: bytes, tape: Tape, has_failed: HasFailed | None = None) -> None:
        """Send a request and return when its answer is taped to the last byte.

        `has_failed` is called after each piece of the body; True means that the answer reported an error and ends here,
        even if the server keeps the connection open. Raises ConnectionLost if the server hangs up too early and
        ProtocolError if it does not speak HTTP. After a cancellation or an error the caller must `abort`.
        """
        if self._transport is None:
            raise ConnectionLost("the server hung up before anything was sent")
        self._tape, self._over, self._has_failed = tape, asyncio.get_running_loop().create_future(), has_failed
        self._complete = self._reading = self.reusable = False
        self._head_size = 0
        try:
            if await self._write(head, body):
                tape.mark_sent()
            await self._over
        finally:
            self._tape = self._over = None
            self._bodies.clear()

    async def _write(self, head: bytes, body: bytes) -> bool:
        """Write the request with back-pressure. False if the answer came before it was sent completely."""
        assert self._transport is not None
        assert self._over is not None
        if len(head) + len(body) <= SLICE:
            self._transport.write(head + body)
            return not self._paused or await self._drain()
        self._transport.write(head)
        view = memoryview(body)
        for at in range(0, len(view), SLICE):
            if self._over.done() or (self._paused and not await self._drain()):
                return False
            self._transport.write(view[at : at + SLICE])
        return not self._paused or await self._drain()

    async def _drain(self) -> bool:
        """Wait until the socket has taken everything; False if the exchange is over before that."""
        assert self._over is not None
        self._drained = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait((self._drained, self._over), return_when=asyncio.FIRST_COMPLETED)
            return self._drained.done() and not self._over.done()
        finally:
            self._drained.cancel()
            self._drained = None

    def is_idle(self) -> bool:
        """Whether an idle connection can be reused: it is open and has nothing to read, such as an EOF."""
        if self.lost or self._transport is None or self._transport.is_closing():
            return False
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not self._poll.poll(0)

    def abort(self) -> None:
        """Close the connection at once, even during an exchange."""
        self.reusable = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # not a subclass in uvloop
        # Now `resume_writing` means that everything is sent. Not high=0: with TLS even an empty buffer would exceed it.
        self._transport.set_write_buffer_limits(high=1, low=0)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def data_received(self, data: bytes) -> None:
        at_ns = clock.now_ns()
        tape = self._tape
        if tape is None or self._over is None or self._over.done():
            self.abort()  # unsolicited data
            return
        self._at_ns = at_ns
        try:
            if not self._reading:
                self._count_head(data)
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, ProtocolError) as error:
            if not self._store(tape, at_ns):
                return
            if not self._complete:
                self._fail(_to_protocol_error(error))
                return
            self.reusable = False  # the answer is complete, but garbage follows it
        else:
            if not self._store(tape, at_ns):
                return
        if self._complete:
            self._finish()

    def _store(self, tape: Tape, at_ns: int) -> bool:
        """Tape the body bytes of one read as one piece. False if that ended the exchange."""
        bodies = self._bodies
        if not bodies:
            return True
        try:
            tape.add(bodies[0] if len(bodies) == 1 else b"".join(bodies), at_ns)
        except AnswerTooLong as error:
            self._fail(error)
            return False
        bodies.clear()
        if self._complete or self._has_failed is None or not self._has_failed(tape):
            return True
        self.reusable = False
        self._finish()
        return False

    def _count_head(self, data: bytes) -> None:
        self._head_size += len(data)
        if self._head_size > MAX_HEAD:
            raise ProtocolError(f"the head of the answer is longer than {MAX_HEAD} bytes")

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._transport = None
        if self._over is not None and not self._over.done():
            if self._reading and not self._framed and exc is None:
                self._at_ns = clock.now_ns()
                self._finish()  # the end of the connection ends the body
            else:
                where = "in the middle of its answer" if self._reading else "before it answered"
                self._fail(ConnectionLost(f"the server hung up {where}" + (f" ({exc})" if exc is not None else "")))
        self._on_lost(self)

    def on_message_begin(self) -> None:
        if self._complete:
            raise ProtocolError("the server sent a second answer to one request")
        self._headers, self._fields_size, self._field_count = {}, 0, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields_size += len(name) + len(value) + 4
        if self._fields_size > MAX_FIELDS:
            raise ProtocolError(f"the answer's header fields are longer than {MAX_FIELDS} bytes")
        self._field_count += 1
        if self._field_count > MAX_FIELD_COUNT:
            raise ProtocolError(f"the answer has more than {MAX_FIELD_COUNT} header fields")
        check_field(name, value)
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            return
        self._reading = True
        headers = self._headers
        chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        self._framed = chunked or "content-length" in headers or status in _BODILESS
        assert self._tape is not None
        self._tape.mark_head(status, headers, self._at_ns)

    def on_message_complete(self) -> None:
        if self._reading:  # otherwise it was a 1xx, and the answer is still to come
            self._complete = True
            self.reusable = self._framed and self._parser.should_keep_alive()

    def _finish(self) -> None:
        assert self._tape is not None
        assert self._over is not None
        self._tape.mark_done(self._at_ns)
        if self._tape.sent_ns is None:
            self.reusable = False  # answered before the request was sent completely
        self._over.set_result(None)

    def _fail(self, error: Exception) -> None:
        assert self._over is not None
        self._over.set_exception(error)
        self.abort()


def _to_protocol_error(error: Exception) -> ProtocolError:
    """Unwrap errors of callbacks, which httptools wraps in its own."""
    inner = error.__context__ if isinstance(error, httptools.HttpParserCallbackError) else error
    if isinstance(inner, ProtocolError):
        return inner
    if isinstance(inner, httptools.HttpParserUpgrade):
        return ProtocolError("the server tried to switch to another protocol")
    return ProtocolError(f"the server's answer is not HTTP: {inner}")
