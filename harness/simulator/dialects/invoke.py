"""InvokeModel: the Messages API's JSON, streamed as base64 in `chunk` events."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import msgspec

from harness.endpoints.eventstream import encode_event
from harness.simulator.dialects.base import (
    EVENT_STREAM,
    Block,
    Dialect,
    Message,
    Question,
    Reply,
    decode_body,
    has_text,
    make_question,
    padding,
)
from harness.simulator.faults import validation
from harness.simulator.profiles import ModelName

_VERSION_SINCE = {"bedrock-2023-05-31": 0.0, "2026-10-21": 4.7}
"""`anthropic_version` → the first model generation that knows it."""
_DELTA = b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":%b}}'


class _Body(msgspec.Struct, frozen=True):
    messages: list[Message]
    max_tokens: int | None = None
    anthropic_version: str | None = None
    system: str | list[Block] = ""
    stop_sequences: tuple[str, ...] = ()


_DECODER = msgspec.json.Decoder(_Body)


def _read(body: bytes, model: ModelName) -> Question:
    asked: _Body = decode_body(_DECODER, body)
    if asked.anthropic_version is None:
        raise validation("anthropic_version: Field required")
    if model.generation < _VERSION_SINCE.get(asked.anthropic_version, float("inf")):
        raise validation(f"anthropic_version: {asked.anthropic_version!r} is not supported by this model")
    if asked.max_tokens is None:
        raise validation("max_tokens: Field required")
    if not asked.messages:
        raise validation("messages: at least one message is required")
    for at, message in enumerate(asked.messages):
        if not has_text(message.content):
            raise validation(f"messages.{at}: text content blocks must be non-empty")
    return make_question(
        asked.messages, system=asked.system, max_tokens=asked.max_tokens, stop_sequences=asked.stop_sequences
    )


def _message(reply: Reply) -> dict[str, Any]:
    return {
        "model": reply.model.short,
        "id": "msg_bdrk_" + reply.request_id.replace("-", "")[:24],
        "type": "message",
        "role": "assistant",
    }


def _usage(reply: Reply, output_tokens: int) -> dict[str, int]:
    return {
        "input_tokens": reply.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output_tokens,
    }


def _stop(reply: Reply) -> dict[str, str | None]:
    return {"stop_reason": reply.answer.stop_reason, "stop_sequence": reply.answer.stop_sequence}


def _body(reply: Reply) -> bytes:
    content = [{"type": "text", "text": reply.answer.text}] if reply.answer.text else []
    usage = _usage(reply, reply.answer.output_tokens)
    return msgspec.json.encode({**_message(reply), "content": content, **_stop(reply), "usage": usage})


def _body_headers(reply: Reply) -> dict[str, str]:
    return {
        "X-Amzn-Bedrock-Invocation-Latency": str(reply.latency_ms),
        "X-Amzn-Bedrock-Input-Token-Count": str(reply.input_tokens),
        "X-Amzn-Bedrock-Output-Token-Count": str(reply.answer.output_tokens),
    }


def _opening(reply: Reply) -> bytes:
    start: dict[str, Any] = {"content": [], "stop_reason": None, "stop_sequence": None, "usage": _usage(reply, 1)}
    return _join_frames(
        reply.paddings[:2],
        {"type": "message_start", "message": {**_message(reply), **start}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    )


def _chunk(text: str, pad: int) -> bytes:
    return _frame(_DELTA % msgspec.json.encode(text), pad)


def _ending(reply: Reply) -> bytes:
    output_tokens = reply.answer.output_tokens
    metrics = {
        "inputTokenCount": reply.input_tokens,
        "outputTokenCount": output_tokens,
        "invocationLatency": reply.latency_ms,
        "firstByteLatency": reply.first_byte_ms,
        "cacheReadInputTokenCount": 0,
        "cacheWriteInputTokenCount": 0,
    }
    return _join_frames(
        reply.paddings[2:],
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": _stop(reply), "usage": {"output_tokens": output_tokens}},
        {"type": "message_stop", "amazon-bedrock-invocationMetrics": metrics},
    )


def _join_frames(pads: tuple[int, ...], *events: dict[str, Any]) -> bytes:
    return b"".join(_frame(msgspec.json.encode(event), pad) for event, pad in zip(events, pads, strict=True))


def _frame(event: bytes, pad: int) -> bytes:
    return encode_event("chunk", b'{"bytes":"%b","p":"%b"}' % (b64encode(event), padding(pad).encode()))


INVOKE = Dialect(
    read=_read,
    body=_body,
    body_headers=_body_headers,
    opening=_opening,
    chunk=_chunk,
    ending=_ending,
    stream_headers=EVENT_STREAM | {"X-Amzn-Bedrock-Content-Type": "application/json"},
)
