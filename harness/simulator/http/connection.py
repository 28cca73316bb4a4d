"""One HTTP/1.1 connection: reads requests and replies to them in order."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import cast

import httptools
import msgspec

from harness.clock import now_ns
from harness.simulator.http.pump import Pump, ScheduledReply
from harness.simulator.truth import ServedRequest

MAX_BODY = 25_000_000
"""Bytes; the service's limit. Anything beyond is dropped, and the request is marked `too_large`."""
RESET_AFTER_S = 0.05
"""From the last piece to a reset, which discards what the client has not read yet."""
LAST_CHUNK = b"0\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_UNREADABLE = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A complete request."""

    method: bytes
    target: bytes
    """Path and query, still percent-encoded."""
    headers: dict[bytes, bytes]
    """Names in lower case."""
    body: bytes
    too_large: bool
    keep_alive: bool
    received_ns: int


def encode_chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def encode_head(status: int, headers: dict[str, str]) -> bytes:
    """Status line and headers."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{lines}\r\n".encode("latin-1")


class HttpConnection(asyncio.Protocol):
    """Calls `respond` for each request and has the pump send the reply. Requests may be pipelined.

    `served` is called with the record of each finished reply. Losing the connection stops its reply at once.
    """

    def __init__(
        self,
        respond: Callable[[HttpRequest], ScheduledReply],
        served: Callable[[ServedRequest], None],
        pump: Pump,
        connections: set[HttpConnection],
    ) -> None:
        self._respond = respond
        self._served = served
        self._pump = pump
        self._connections = connections
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[HttpRequest] = deque()
        self._reply: ScheduledReply | None = None
        self._closing = False
        self._owes_continue = False
        self.on_message_begin()

    @property
    def is_replying(self) -> bool:
        """Whether a reply is in progress."""
        return self._reply is not None

    def abort(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport = cast(asyncio.Transport, transport)  # not a subclass in uvloop
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._transport = None
        self._waiting.clear()
        reply, self._reply = self._reply, None
        if reply is not None:
            reply.stop()
            self._report(reply)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError:
            raise
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._reject()

    def on_message_begin(self) -> None:
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._size = 0

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        if self._headers.get(b"expect", b"").lower() == b"100-continue":
            self._owes_continue = True
            self._send_continue()

    def on_body(self, body: bytes) -> None:
        self._owes_continue = False
        self._size += len(body)
        if self._size <= MAX_BODY:
            self._body.append(body)

    def on_message_complete(self) -> None:
        self._owes_continue = False
        request = HttpRequest(
            method=self._parser.get_method(),
            target=self._target,
            headers=self._headers,
            body=b"".join(self._body),
            too_large=self._size > MAX_BODY,
            keep_alive=self._parser.should_keep_alive(),
            received_ns=now_ns(),
        )
        self._body = []
        self._waiting.append(request)
        self._start_next()

    def _start_next(self) -> None:
        if self._reply is not None or self._closing or self._transport is None:
            return
        if not self._waiting:
            self._send_continue()
            return
        request = self._waiting.popleft()
        self._closing = not request.keep_alive
        self._reply = reply = self._respond(request)
        reply.start(self._transport, self._end_reply)
        self._pump.add(reply)

    def _end_reply(self) -> None:
        reply, self._reply = self._reply, None
        if reply is not None:
            self._report(reply)
            self._closing = self._closing or reply.ending != "keep"
        if self._closing and self._transport is not None:
            if reply is not None and reply.ending == "reset":
                self._reset(self._transport)
            else:
                self._transport.close()
        self._start_next()

    def _reset(self, transport: asyncio.Transport) -> None:
        """End the connection with a TCP reset, once the client has had time to read."""
        linger = struct.pack("ii", 1, 0)  # on, for no time at all: closing discards what is unsent and sends RST
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        asyncio.get_running_loop().call_later(RESET_AFTER_S, transport.abort)

    def _reject(self) -> None:
        """Answer a malformed request with 400, unless a reply is in progress, and hang up."""
        self._closing = True
        if self._transport is None:
            return
        if self._reply is not None:
            self._transport.abort()
        else:
            self._transport.write(_UNREADABLE)
            self._transport.close()

    def _report(self, reply: ScheduledReply) -> None:
        if reply.served is not None:
            self._served(reply.served)

    def _send_continue(self) -> None:
        """Send 100 Continue, unless replies to earlier requests must go out first."""
        if self._owes_continue and self._reply is None and not self._waiting and self._transport is not None:
            self._owes_continue = False
            self._transport.write(_CONTINUE)
