"""What the client `wire` sends for a request, signature apart: address, headers, the body encoded and digested once."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec

from harness.endpoints.base import Connection, Tape, WireRequest
from harness.endpoints.reply import has_failed
from harness.endpoints.wire_address import Address, find_address
from harness.endpoints.wire_protocol import BrokeOff

ANTHROPIC_VERSION = "2023-06-01"
"""The version header of the Messages API that every Claude model accepts."""


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """What a request is on the wire, but for its signature."""

    request: WireRequest
    address: Address
    url: str
    signed: dict[str, str]
    """Headers that are signed."""
    body: bytes
    payload: str
    """SHA-256 of the body, hex."""
    start: str
    """Request line and the headers that are not signed."""
    broke_off: BrokeOff | None
    """Whether a stream has told of its own failure. None: no stream."""


def prepare(connection: Connection, request: WireRequest) -> Prepared:
    """Encode `request`: raw bytes in its body become base64, the model goes where the api wants it."""
    address = find_address(connection, request)
    body = msgspec.json.encode(_whole_body(request))
    signed = {"Host": address.authority, "Content-Type": "application/json", **request.headers}
    if request.api in ("mantle", "messages"):
        signed["anthropic-version"] = ANTHROPIC_VERSION
    accept = "text/event-stream" if request.stream and request.api in _SSE else "application/json"
    lines = (
        f"POST {address.path} HTTP/1.1",
        "User-Agent: harness",
        f"Accept: {accept}",
        "Accept-Encoding: identity",
        f"Content-Length: {len(body)}",
    )
    return Prepared(
        request=request,
        address=address,
        url=f"{address.scheme}://{address.authority}{address.path}",
        signed=signed,
        body=body,
        payload=sha256(body).hexdigest(),
        start="".join(f"{line}\r\n" for line in lines),
        broke_off=_make_watch(request) if request.stream else None,
    )


_FRAME_MARKS = (b"\x0f:exception-type\x07", b"\x0b:error-code\x07")
_SSE_MARKS = (b'"error"',)
"""What no error inside a stream is told without. The text in JSON holds neither control characters nor bare quotes, so
these are seldom a model's own words; what has one is read as a whole, and only that decides."""


def _make_watch(request: WireRequest) -> BrokeOff:
    """An eye on a stream for an error that ends it. The SDKs end there, too; a server may never."""
    marks = _SSE_MARKS if request.api in _SSE else _FRAME_MARKS

    def watch(tape: Tape) -> bool:
        piece = tape.pieces[-1]
        for mark in marks:
            if mark in piece:
                return has_failed(request, tape)
        return False

    return watch


_SSE = ("mantle", "messages", "openai")
"""Apis that take the model's id and the wish for a stream in their body."""


def _whole_body(request: WireRequest) -> dict[str, Any]:
    if request.api not in _SSE:
        return request.body
    counted = {"stream_options": {"include_usage": True}} if request.api == "openai" and request.stream else {}
    return {"model": request.model_id, **request.body, "stream": request.stream, **counted}
