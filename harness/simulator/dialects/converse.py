"""Converse: Bedrock's own JSON for all models, streamed as one event type per frame. Keys are sorted on the wire."""

from __future__ import annotations

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

DEFAULT_MAX_TOKENS = 64_000
"""Without `maxTokens`: the model's own maximum."""


class _Turn(Message, frozen=True):
    content: list[Block]


class _InferenceConfig(msgspec.Struct, frozen=True, rename="camel"):
    max_tokens: int = DEFAULT_MAX_TOKENS
    stop_sequences: tuple[str, ...] = ()


class _Body(msgspec.Struct, frozen=True, rename="camel"):
    messages: list[_Turn]
    system: list[Block] = []
    inference_config: _InferenceConfig = _InferenceConfig()


_DECODER = msgspec.json.Decoder(_Body)


def _read(body: bytes, _model: ModelName) -> Question:
    asked: _Body = decode_body(_DECODER, body)
    if not asked.messages or asked.messages[0].role != "user":
        raise validation(
            "A conversation must start with a user message. Try again with a conversation that starts with a user "
            "message."
        )
    for at, turn in enumerate(asked.messages):
        if not turn.content:
            raise validation(
                f"The content field in the Message object at messages.{at} is empty. Add a ContentBlock object to the "
                "content field and try again."
            )
        if not has_text(turn.content):
            raise validation(
                f"The text field in the ContentBlock object at messages.{at}.content.0 is blank. Add text to the text "
                "field, and try again."
            )
    config = asked.inference_config
    return make_question(
        asked.messages, system=asked.system, max_tokens=config.max_tokens, stop_sequences=config.stop_sequences
    )


def _metadata(reply: Reply) -> dict[str, Any]:
    input_tokens, output_tokens = reply.input_tokens, reply.answer.output_tokens
    usage = {
        "inputTokens": input_tokens,
        "outputTokens": output_tokens,
        "totalTokens": input_tokens + output_tokens,
        "cacheReadInputTokens": 0,
        "cacheReadInputTokenCount": 0,
        "cacheWriteInputTokens": 0,
        "cacheWriteInputTokenCount": 0,
        "serverToolUsage": {},
    }
    return {"usage": usage, "metrics": {"latencyMs": reply.latency_ms}}


def _body(reply: Reply) -> bytes:
    content = [{"text": reply.answer.text}] if reply.answer.text else []
    output = {"message": {"content": content, "role": "assistant"}}
    whole = {"output": output, "stopReason": reply.answer.stop_reason, **_metadata(reply)}
    return msgspec.json.encode(whole, order="sorted")


def _body_headers(_reply: Reply) -> dict[str, str]:
    return {}


def _opening(reply: Reply) -> bytes:
    return _frame("messageStart", {"role": "assistant"}, reply.paddings[0])


def _chunk(text: str, pad: int) -> bytes:
    return _frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}}, pad)


def _ending(reply: Reply) -> bytes:
    events: tuple[tuple[str, dict[str, Any]], ...] = (
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": reply.answer.stop_reason}),
        ("metadata", _metadata(reply)),
    )
    return b"".join(_frame(name, event, pad) for (name, event), pad in zip(events, reply.paddings[2:], strict=True))


def _frame(event_type: str, event: dict[str, Any], pad: int) -> bytes:
    return encode_event(event_type, msgspec.json.encode({**event, "p": padding(pad)}, order="sorted"))


CONVERSE = Dialect(
    read=_read,
    body=_body,
    body_headers=_body_headers,
    opening=_opening,
    chunk=_chunk,
    ending=_ending,
    stream_headers=EVENT_STREAM,
)
