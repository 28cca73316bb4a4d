"""Endpoints of others: an answer with changed events or bytes is read as a reply, by every api, streamed and whole."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any, get_args

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from fuzzing.mutations import changed_bytes, changed_json, changed_value
from fuzzing.target import Files, Target
from harness.catalog.target import Api
from harness.endpoints.base import ErrorKind, Tape, WireRequest
from harness.endpoints.dialects.eventstream import encode_event, encode_exception
from harness.endpoints.read_tape import read_tape

HEAD, BODY = "head.json", "body"
USAGE = {"input_tokens": 14, "output_tokens": 9, "cache_read_input_tokens": 2, "cache_creation_input_tokens": 1}
MESSAGES: tuple[dict[str, Any], ...] = (
    {"type": "message_start", "message": {"id": "m", "role": "assistant", "usage": USAGE}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Par"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation":
        {"type": "page_location", "cited_text": "x", "document_title": "d", "start_page_number": 1}}},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t", "name": "w"}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"c": 1}'}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 14, "firstByteLatency": 5}},
)  # fmt: skip
CONVERSE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Paris"}}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"citation": {"title": "d", "source": "x"}}}),
    ("contentBlockStart", {"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "t", "name": "w"}}}),
    ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": '{"c": 1}'}}}),
    ("contentBlockStop", {"contentBlockIndex": 1}),
    ("messageStop", {"stopReason": "tool_use"}),
    ("metadata", {"usage": {"inputTokens": 14, "outputTokens": 9}, "metrics": {"latencyMs": 500}}),
)
OPENAI: tuple[dict[str, Any], ...] = (
    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Paris"}}]},
    {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"name": "w", "arguments": "{}"}}]}}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 14, "completion_tokens": 9}},
)  # fmt: skip
TEXT = {"type": "text", "text": "Paris"}
TOOL = {"type": "tool_use", "id": "t", "name": "w", "input": {"c": 1}}
WHOLE: dict[str, Any] = {
    "invoke": {"content": [TEXT, TOOL], "stop_reason": "end_turn", "usage": USAGE},
    "converse": {
        "output": {"message": {"content": [{"text": "Paris"}, {"toolUse": {"name": "w", "input": {}}}]}},
        "stopReason": "end_turn", "usage": {"inputTokens": 14, "outputTokens": 9}, "metrics": {"latencyMs": 500},
    },
    "openai": {
        "choices": [{"index": 0, "message": {"content": "Paris"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 14, "completion_tokens": 9},
    },
}  # fmt: skip
WHOLE |= {"messages": WHOLE["invoke"], "mantle": WHOLE["invoke"]}
ERROR = {"message": "slow down", "__type": "ThrottlingException", "error": {"type": "rate_limit_error", "message": "x"}}
STATUSES = (200, 200, 200, 200, 200, 204, 301, 400, 403, 404, 408, 424, 429, 500, 503, 529, 599, 999)
HEADERS = {
    "content-type": "application/json", "x-amzn-requestid": "r", "x-amzn-errortype": "ThrottlingException:http://x/",
    "x-amzn-bedrock-invocation-latency": "500", "retry-after": "3", "location": "http://127.0.0.1/",
    "content-encoding": "",
}  # fmt: skip
KINDS = {None, *get_args(ErrorKind)}


def read(folder: Path) -> None:
    """Read the body, which arrives in pieces, as the reply to its request."""
    head = json.loads((folder / HEAD).read_bytes())
    body, piece = (folder / BODY).read_bytes(), head["piece"]
    tape = Tape()
    tape.mark_head(head["status"], head["headers"], 1)
    for at, start in enumerate(range(0, len(body), piece)):
        tape.add(body[start : start + piece], at)
    request = WireRequest(api=head["api"], model_id="m", stream=head["stream"], body={})
    reply = read_tape(request, tape)
    assert reply.ok == (reply.error_kind is None)
    assert reply.error_kind in KINDS
    assert reply.error_kind != "internal", reply.error_message
    assert reply.chunk_ns == sorted(reply.chunk_ns)
    msgspec.json.decode(msgspec.json.encode(reply))


def encode_stream(api: Api, events: Any) -> bytes:
    """The events as they go over the wire, whatever they have become. A changed name stands for an exception's."""
    written = [_encode(api, each) for each in (events if isinstance(events, list) else [events])]
    return b"".join(written) + (b"data: [DONE]\n\n" if api == "openai" else b"")


def _encode(api: Api, event: Any) -> bytes:
    if api == "converse":
        name, payload = event if isinstance(event, list) and len(event) == 2 else ("messageStart", event)
        text = name if isinstance(name, str) and name.isascii() and len(name) < 99 else "throttlingException"
        known = any(text == each for each, _ in CONVERSE)
        return (encode_event if known else encode_exception)(text, json.dumps(payload).encode())
    data = json.dumps(event).encode()
    if api == "invoke":
        return encode_event("chunk", json.dumps({"bytes": b64encode(data).decode()}).encode())
    kind = event.get("type") if isinstance(event, dict) else None
    return (f"event: {kind}\n".encode(errors="replace") if kind else b"") + b"data: " + data + b"\n\n"


def _events(api: Api) -> list[Any]:
    events: dict[str, tuple[Any, ...]] = {"converse": tuple(map(list, CONVERSE)), "openai": OPENAI}
    return list(events.get(api, MESSAGES))


@st.composite
def hostile_replies(draw: DrawFn) -> Files:
    """A head, and a body with changed events, changed bytes, or both; or an error."""
    api: Api = draw(st.sampled_from(get_args(Api)))
    stream, status = draw(st.booleans()), draw(st.sampled_from(STATUSES))
    way = draw(st.integers(0, 3))
    if status >= 300:
        body = draw(changed_json(ERROR))
    elif stream:
        events = _events(api)
        body = encode_stream(api, draw(changed_value(events)) if way else events)
    else:
        body = draw(changed_json(WHOLE[api])) if way else json.dumps(WHOLE[api]).encode()
    if way in (0, 3):
        body = draw(changed_bytes(body))
    headers = draw(
        st.dictionaries(st.sampled_from(list(HEADERS)), st.sampled_from([None, "", "x", "\x00\x1b", "9" * 400]))
    )
    told = {name: HEADERS[name] if value is None else value for name, value in headers.items()}
    return _files(api, stream, body, status=status, headers=told, piece=draw(st.sampled_from([1, 7, 100, 10_000])))


def _files(
    api: Api, stream: bool, body: bytes, *, status: int = 200, headers: dict[str, str] | None = None, piece: int = 100
) -> Files:
    head = {"api": api, "stream": stream, "status": status, "headers": headers or {}, "piece": piece}
    return {HEAD: json.dumps(head).encode(), BODY: body}


TARGETS: dict[str, Target] = {
    "replies": Target(
        whole=lambda: _files("converse", True, encode_stream("converse", _events("converse"))),
        inputs=hostile_replies,
        read=read,
        share=30,
    )
}
