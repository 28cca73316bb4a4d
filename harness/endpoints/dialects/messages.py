"""Answers in the Messages dialect, whole and event by event, whichever framing they come in."""

from __future__ import annotations

import msgspec

from harness.endpoints.dialects.content import Citation, Content, Milliseconds, StreamFailure, Tokens, ToolCall

TERMINAL = "message_stop"


class _Usage(msgspec.Struct, frozen=True):
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    cache_read_input_tokens: Tokens | None = None
    cache_creation_input_tokens: Tokens | None = None


class _Citation(msgspec.Struct, frozen=True):
    cited_text: str | None = None
    document_title: str | None = None
    start_page_number: int | None = None
    end_page_number: int | None = None


class _Part(msgspec.Struct, frozen=True, gc=False):
    """A content block or a delta of one; each kind fills a few of these."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw(b"{}")
    partial_json: str | None = None
    citation: _Citation | None = None
    citations: list[_Citation] | None = None
    stop_reason: str | None = None


class _Start(msgspec.Struct, frozen=True):
    usage: _Usage | None = None


class _Metrics(msgspec.Struct, frozen=True, rename="camel"):
    invocation_latency: Milliseconds | None = None
    first_byte_latency: Milliseconds | None = None


class _Error(msgspec.Struct, frozen=True):
    type: str = ""
    message: str = ""


class _Event(msgspec.Struct, frozen=True, gc=False):
    type: str
    index: int = 0
    message: _Start | None = None
    content_block: _Part | None = None
    delta: _Part | None = None
    usage: _Usage | None = None
    error: _Error | None = None
    metrics: _Metrics | None = msgspec.field(default=None, name="amazon-bedrock-invocationMetrics")


class _Answer(msgspec.Struct, frozen=True):
    content: list[_Part]
    stop_reason: str | None = None
    usage: _Usage = _Usage()


_event = msgspec.json.Decoder(_Event)
_answer = msgspec.json.Decoder(_Answer)


def fold_event(payload: bytes, at_ns: int, content: Content) -> None:
    """Fold one event that was complete at `at_ns`. msgspec.DecodeError: no such event; StreamFailure: an error."""
    event = _event.decode(payload)
    if event.type == "content_block_delta" and event.delta is not None and event.delta.type == "text_delta":
        if event.delta.text:  # nearly every event is one of these
            content.texts.append(event.delta.text)
            content.chunk_ns.append(at_ns)
        return
    part = event.delta or event.content_block
    if part is not None:
        _fold_part(part, event.index, content)
        if part.text or part.thinking or part.partial_json or part.name:
            content.chunk_ns.append(at_ns)
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
    for index, part in enumerate(answer.content):
        _fold_part(part, index, content)
    if content.texts or content.tools or any(part.thinking for part in answer.content):
        content.chunk_ns = [at_ns]
    content.stop_reason = answer.stop_reason
    _fold_usage(answer.usage, content)
    content.complete = True


def _fold_part(part: _Part, index: int, content: Content) -> None:
    if part.text:
        content.texts.append(part.text)
    if part.type == "tool_use" and part.name:
        given = bytes(part.input).decode()
        content.tools[index] = ToolCall(name=part.name, pieces=[] if given == "{}" else [given])
    if part.partial_json and index in content.tools:
        content.tools[index].pieces.append(part.partial_json)
    for citation in [part.citation] if part.citation is not None else part.citations or ():
        content.citations.append(_to_citation(citation))
    if part.stop_reason is not None:
        content.stop_reason = part.stop_reason


def _to_citation(citation: _Citation) -> Citation:
    return Citation(
        document=citation.document_title,
        start_page=citation.start_page_number,
        end_page=citation.end_page_number,
        text=citation.cited_text or "",
    )


def _fold_usage(usage: _Usage, content: Content) -> None:
    if usage.input_tokens is not None:
        content.input_tokens = usage.input_tokens
    if usage.output_tokens is not None:
        content.output_tokens = usage.output_tokens
    if usage.cache_read_input_tokens is not None:
        content.cache_read_tokens = usage.cache_read_input_tokens
    if usage.cache_creation_input_tokens is not None:
        content.cache_write_tokens = usage.cache_creation_input_tokens
