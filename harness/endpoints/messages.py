"""The Messages dialect, as InvokeModel speaks it: request bodies, whole answers, stream events.

A stream frame's payload is `{"bytes": "<base64 of one Messages event>", "p": "<padding>"}`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from harness.catalog.target import Options
from harness.endpoints.content import Content, Milliseconds, StreamFailure, Tokens
from harness.suite.schema import Message

ANTHROPIC_VERSION = "bedrock-2023-05-31"
"""The one that every Claude model on Bedrock accepts; the SDK's own default is refused up to Opus 4.6."""

TERMINAL = "message_stop"


def build_body(messages: Iterable[Message], options: Options) -> dict[str, Any]:
    """The JSON body of InvokeModel; what an option leaves open is not sent."""
    body: dict[str, Any] = {
        "anthropic_version": ANTHROPIC_VERSION,
        "messages": [{"role": message.role, "content": message.content} for message in messages],
    }
    given = msgspec.structs.asdict(options)
    return body | {name: value for name, value in given.items() if value is not None}


class _Usage(msgspec.Struct, frozen=True):
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    cache_read_input_tokens: Tokens | None = None
    cache_creation_input_tokens: Tokens | None = None


class _Part(msgspec.Struct, frozen=True):
    """A content block or a delta of one; each kind fills one of the first three."""

    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    input: dict[str, Any] | None = None
    stop_reason: str | None = None


class _Start(msgspec.Struct, frozen=True):
    usage: _Usage | None = None


class _Metrics(msgspec.Struct, frozen=True, rename="camel"):
    invocation_latency: Milliseconds | None = None
    first_byte_latency: Milliseconds | None = None


class _Error(msgspec.Struct, frozen=True):
    type: str = ""
    message: str = ""


class _Event(msgspec.Struct, frozen=True):
    type: str
    message: _Start | None = None
    content_block: _Part | None = None
    delta: _Part | None = None
    usage: _Usage | None = None
    error: _Error | None = None
    metrics: _Metrics | None = msgspec.field(default=None, name="amazon-bedrock-invocationMetrics")


class _Chunk(msgspec.Struct, frozen=True):
    event: bytes = msgspec.field(name="bytes")


class _Answer(msgspec.Struct, frozen=True):
    content: list[_Part]
    stop_reason: str | None = None
    usage: _Usage = _Usage()


_chunk = msgspec.json.Decoder(_Chunk)
_event = msgspec.json.Decoder(_Event)
_answer = msgspec.json.Decoder(_Answer)


def read_event(event_type: str, payload: bytes, at_ns: int, content: Content) -> None:
    """Fold one frame that was complete at `at_ns`. msgspec.DecodeError: no such event; StreamFailure: an error."""
    if event_type != "chunk":
        return
    event = _event.decode(_chunk.decode(payload).event)
    part = event.delta or event.content_block
    if part is not None:
        _fold_part(part, at_ns, content)
    if event.message is not None and event.message.usage is not None:
        _fold_usage(event.message.usage, content)
        content.output_tokens = None  # at the start it is a placeholder, not the count
    if event.usage is not None:
        _fold_usage(event.usage, content)
    if event.metrics is not None:
        content.latency_ms = event.metrics.invocation_latency
        content.first_byte_ms = event.metrics.first_byte_latency
    if event.type == "error":
        error = event.error or _Error()
        raise StreamFailure(error.type, error.message)
    if event.type == TERMINAL:
        content.complete = True


def read_body(body: bytes, at_ns: int, content: Content) -> None:
    """Fold a whole answer that arrived at `at_ns`. msgspec.DecodeError: not an answer of this dialect."""
    answer = _answer.decode(body)
    content.texts = [part.text for part in answer.content if part.text]
    if any(part.text or part.thinking or part.input for part in answer.content):
        content.chunk_ns = [at_ns]
    content.stop_reason = answer.stop_reason
    _fold_usage(answer.usage, content)
    content.complete = True


def _fold_part(part: _Part, at_ns: int, content: Content) -> None:
    if part.text:
        content.texts.append(part.text)
    if part.text or part.thinking or part.partial_json:
        content.chunk_ns.append(at_ns)
    if part.stop_reason is not None:
        content.stop_reason = part.stop_reason


def _fold_usage(usage: _Usage, content: Content) -> None:
    if usage.input_tokens is not None:
        content.input_tokens = usage.input_tokens
    if usage.output_tokens is not None:
        content.output_tokens = usage.output_tokens
    if usage.cache_read_input_tokens is not None:
        content.cache_read_tokens = usage.cache_read_input_tokens
    if usage.cache_creation_input_tokens is not None:
        content.cache_write_tokens = usage.cache_creation_input_tokens
