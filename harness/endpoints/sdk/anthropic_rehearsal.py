"""Canned answers for the client `anthropic`: what its first calls are made on, before anything is sent."""

from __future__ import annotations

from base64 import b64encode

import httpx2
import msgspec

from harness.catalog.target import Api
from harness.endpoints.base import WireRequest
from harness.endpoints.dialects.eventstream import encode_event

REHEARSAL_URL = "http://rehearsal.invalid"
"""Leads to `ANSWERING`, a transport without a socket."""

_BODY = {"max_tokens": 1, "messages": [{"role": "user", "content": "hello"}]}
_APIS: tuple[Api, ...] = ("invoke", "mantle")
REHEARSAL = [
    WireRequest(api=api, model_id="rehearsal", stream=stream, body=_BODY) for api in _APIS for stream in (True, False)
]
"""Each call that the client makes, once."""

_USAGE = {"input_tokens": 1, "output_tokens": 1}
_MESSAGE = {
    "id": "msg_rehearsal",
    "type": "message",
    "role": "assistant",
    "model": "rehearsal",
    "content": [{"type": "text", "text": "hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": _USAGE,
}
_EVENTS: list[dict[str, object]] = [
    {"type": "message_start", "message": _MESSAGE | {"content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": _USAGE},
    {"type": "message_stop"},
]


def _answer(request: httpx2.Request) -> httpx2.Response:
    if request.url.path.endswith("stream"):
        return httpx2.Response(200, content=b"".join(map(_to_frame, _EVENTS)))
    if b'"stream":true' in request.content.replace(b" ", b""):
        return httpx2.Response(200, content=b"".join(map(_to_sse, _EVENTS)))
    return httpx2.Response(200, json=_MESSAGE)


def _to_frame(event: dict[str, object]) -> bytes:
    return encode_event("chunk", msgspec.json.encode({"bytes": b64encode(msgspec.json.encode(event)).decode()}))


def _to_sse(event: dict[str, object]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), msgspec.json.encode(event))


ANSWERING = httpx2.MockTransport(_answer)
