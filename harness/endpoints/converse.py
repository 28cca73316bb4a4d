"""The Converse dialect: request bodies, whole answers, stream events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from harness.catalog.target import Options
from harness.endpoints.content import Content, Milliseconds, Tokens
from harness.suite.schema import Message

TERMINAL = "metadata"
"""The last event. It is the one with the usage, and follows `messageStop`; both must have come."""


def build_body(messages: Iterable[Message], options: Options) -> dict[str, Any]:
    """The JSON body of Converse; what an option leaves open is not sent."""
    body: dict[str, Any] = {
        "messages": [{"role": message.role, "content": [{"text": message.content}]} for message in messages]
    }
    if options.system is not None:
        body["system"] = [{"text": options.system}]
    inference = {
        "maxTokens": options.max_tokens,
        "temperature": options.temperature,
        "topP": options.top_p,
        "stopSequences": options.stop_sequences,
    }
    body["inferenceConfig"] = {name: value for name, value in inference.items() if value is not None}
    if options.top_k is not None:
        body["additionalModelRequestFields"] = {"top_k": options.top_k}
    return body


class _Usage(msgspec.Struct, frozen=True, rename="camel"):
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    cache_read_input_tokens: Tokens | None = None
    cache_write_input_tokens: Tokens | None = None


class _Metrics(msgspec.Struct, frozen=True, rename="camel"):
    latency_ms: Milliseconds | None = None


class _ToolDelta(msgspec.Struct, frozen=True):
    input: str | None = None


class _ThinkingDelta(msgspec.Struct, frozen=True):
    text: str | None = None


class _Delta(msgspec.Struct, frozen=True, rename="camel"):
    text: str | None = None
    tool_use: _ToolDelta | None = None
    reasoning_content: _ThinkingDelta | None = None


class _Event(msgspec.Struct, frozen=True, rename="camel"):
    delta: _Delta | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None
    metrics: _Metrics | None = None


class _Text(msgspec.Struct, frozen=True):
    text: str | None = None


class _Cited(msgspec.Struct, frozen=True):
    content: list[_Text] = []


class _Block(msgspec.Struct, frozen=True, rename="camel"):
    text: str | None = None
    citations_content: _Cited | None = None
    tool_use: dict[str, Any] | None = None
    reasoning_content: dict[str, Any] | None = None


class _Message(msgspec.Struct, frozen=True):
    content: list[_Block]


class _Output(msgspec.Struct, frozen=True):
    message: _Message


class _Answer(msgspec.Struct, frozen=True, rename="camel"):
    output: _Output
    stop_reason: str
    usage: _Usage = _Usage()
    metrics: _Metrics = _Metrics()


_event = msgspec.json.Decoder(_Event)
_answer = msgspec.json.Decoder(_Answer)


def read_event(event_type: str, payload: bytes, at_ns: int, content: Content) -> None:
    """Fold one frame that was complete at `at_ns`. msgspec.DecodeError: no such event."""
    event = _event.decode(payload)
    if event.delta is not None:
        _fold_delta(event.delta, at_ns, content)
    if event.stop_reason is not None:
        content.stop_reason = event.stop_reason
    if event.usage is not None:
        _fold_usage(event.usage, content)
    if event.metrics is not None:
        content.latency_ms = event.metrics.latency_ms
    if event_type == TERMINAL and content.stop_reason is not None:
        content.complete = True


def read_body(body: bytes, at_ns: int, content: Content) -> None:
    """Fold a whole answer that arrived at `at_ns`. msgspec.DecodeError: not an answer of this dialect."""
    answer = _answer.decode(body)
    blocks = answer.output.message.content
    content.texts = [text for block in blocks for text in _texts(block) if text]
    if content.texts or any(block.tool_use or block.reasoning_content for block in blocks):
        content.chunk_ns = [at_ns]
    content.stop_reason = answer.stop_reason
    content.latency_ms = answer.metrics.latency_ms
    _fold_usage(answer.usage, content)
    content.complete = True


def _texts(block: _Block) -> list[str | None]:
    """A block's own text, then that of its citations: an answer with citations comes in the second form only."""
    cited = block.citations_content.content if block.citations_content is not None else []
    return [block.text, *(part.text for part in cited)]


def _fold_delta(delta: _Delta, at_ns: int, content: Content) -> None:
    if delta.text:
        content.texts.append(delta.text)
    tool = delta.tool_use.input if delta.tool_use is not None else None
    thinking = delta.reasoning_content.text if delta.reasoning_content is not None else None
    if delta.text or tool or thinking:
        content.chunk_ns.append(at_ns)


def _fold_usage(usage: _Usage, content: Content) -> None:
    content.input_tokens = usage.input_tokens
    content.output_tokens = usage.output_tokens
    content.cache_read_tokens = usage.cache_read_input_tokens
    content.cache_write_tokens = usage.cache_write_input_tokens
