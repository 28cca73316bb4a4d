"""InvokeModel: the JSON of the Messages API, streamed as base64 in `chunk` events."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import msgspec

from harness.endpoints.dialects.eventstream import encode_event
from harness.simulator.dialects import messages
from harness.simulator.dialects.base import (
    EVENT_STREAM,
    Dialect,
    Event,
    Question,
    Reply,
    bedrock_error,
    bedrock_interruption,
    padding,
)
from harness.simulator.dialects.messages_prompt import read_body, read_question
from harness.simulator.faults import validation
from harness.simulator.model.profiles import ModelName

_VERSION_SINCE = {"bedrock-2023-05-31": 0.0, "2026-10-21": 4.7}
"""`anthropic_version` → the first model generation that supports it."""


def _read(body: bytes, headers: Mapping[bytes, bytes], model: ModelName) -> Question:
    request = read_body(body)
    if request.anthropic_version is None:
        raise validation("anthropic_version: Field required")
    if model.generation < _VERSION_SINCE.get(request.anthropic_version, float("inf")):
        raise validation(f"anthropic_version: {request.anthropic_version!r} is not supported by this model")
    return read_question(request, headers, model)


def _body(reply: Reply) -> bytes:
    return msgspec.json.encode(messages.whole_message(reply))


def _headers(reply: Reply) -> dict[str, str]:
    counted = {
        "X-Amzn-Bedrock-Invocation-Latency": reply.latency_ms,
        "X-Amzn-Bedrock-Input-Token-Count": reply.usage.uncached,
        "X-Amzn-Bedrock-Output-Token-Count": reply.answer.output_tokens,
        "X-Amzn-Bedrock-Cache-Read-Input-Token-Count": reply.usage.read,
        "X-Amzn-Bedrock-Cache-Write-Input-Token-Count": reply.usage.write,
    }
    echoed = {
        "X-Amzn-Bedrock-PerformanceConfig-Latency": reply.question.latency,
        "X-Amzn-Bedrock-Service-Tier": reply.question.service_tier,
    }
    echoes = {name: value for name, value in echoed.items() if value in _ECHOED}
    return {name: str(value) for name, value in {**counted, **echoes}.items()}


_ECHOED = ("standard", "optimized", "priority", "default", "flex", "reserved")


def _opening(reply: Reply) -> tuple[Event, ...]:
    return (messages.message_start(reply),)


def _ending(reply: Reply) -> tuple[Event, ...]:
    metrics: dict[str, Any] = {
        "inputTokenCount": reply.usage.uncached,
        "outputTokenCount": reply.answer.output_tokens,
        "invocationLatency": reply.latency_ms,
        "firstByteLatency": reply.first_byte_ms,
        "cacheReadInputTokenCount": reply.usage.read,
        "cacheWriteInputTokenCount": reply.usage.write,
    }
    stop = msgspec.json.encode({"type": "message_stop", "amazon-bedrock-invocationMetrics": metrics})
    return messages.message_delta(reply), Event("message_stop", stop)


def _frame(event: Event) -> bytes:
    payload = b'{"bytes":"%b","p":"%b"}' % (b64encode(event.data), padding(event.data).encode())
    return encode_event("chunk", payload)


INVOKE = Dialect(
    read=_read,
    body=_body,
    headers=_headers,
    opening=_opening,
    start=messages.block_start,
    delta=messages.block_delta,
    stop=messages.block_stop,
    ending=_ending,
    frame=_frame,
    interruption=bedrock_interruption,
    stream_headers=EVENT_STREAM | {"X-Amzn-Bedrock-Content-Type": "application/json"},
    logged=lambda event: event.data,
    error_response=bedrock_error,
)
