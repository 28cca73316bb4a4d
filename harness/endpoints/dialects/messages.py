"""The Messages dialect: request bodies, and answers, streaming or not, in any framing."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.catalog.target import Options, Tool
from harness.endpoints.dialects.attachments import PDF, attach, name_documents, read_base64, read_text
from harness.endpoints.reply import Citation, Milliseconds, Reply, StreamFailure, Tokens, ToolCall
from harness.suite.suite import Attachment, Message, Prompt

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
    """A content block or a delta of one. Each kind has a few of these fields."""

    type: str = ""
    text: str = ""
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


def fold_event(payload: bytes, at_ns: int, reply: Reply) -> None:
    """Fold one event that was complete at `at_ns`. msgspec.DecodeError: no such event; StreamFailure: an error."""
    event = _event.decode(payload)
    if event.type == "content_block_delta" and event.delta is not None and event.delta.type == "text_delta":
        if event.delta.text:  # the fast path for nearly every event
            reply.texts.append(event.delta.text)
            reply.chunk_ns.append(at_ns)
        return
    part = event.delta or event.content_block
    if part is not None:
        _fold_part(part, event.index, reply)
        if part.text or part.thinking or part.partial_json or part.name:
            reply.chunk_ns.append(at_ns)
    if event.message is not None and event.message.usage is not None:
        _fold_usage(event.message.usage, reply)
        reply.output_tokens = None  # at the start, it is a placeholder
    if event.usage is not None:
        _fold_usage(event.usage, reply)
    if event.metrics is not None:
        reply.server_latency_ms = event.metrics.invocation_latency
        reply.server_first_byte_ms = event.metrics.first_byte_latency
    if event.type == "error":
        error = event.error or _Error()
        raise StreamFailure(error.type, error.message)
    if event.type == TERMINAL:
        reply.complete = True


def read_body(body: bytes, at_ns: int, reply: Reply) -> None:
    """Fold a whole answer that arrived at `at_ns`. msgspec.DecodeError: not an answer of this dialect."""
    answer = _answer.decode(body)
    for index, part in enumerate(answer.content):
        _fold_part(part, index, reply)
    if reply.texts or reply.tools or any(part.thinking for part in answer.content):
        reply.chunk_ns = [at_ns]
    reply.stop_reason = answer.stop_reason
    _fold_usage(answer.usage, reply)
    reply.complete = True


def _fold_part(part: _Part, index: int, reply: Reply) -> None:
    if part.text:
        reply.texts.append(part.text)
    if part.type == "tool_use" and part.name:
        arguments = bytes(part.input).decode()
        reply.tools[index] = ToolCall(name=part.name, pieces=[] if arguments == "{}" else [arguments])
    if part.partial_json and index in reply.tools:
        reply.tools[index].pieces.append(part.partial_json)
    for citation in [part.citation] if part.citation is not None else part.citations or ():
        reply.cited.append(_to_citation(citation))
    if part.stop_reason is not None:
        reply.stop_reason = part.stop_reason


def _to_citation(citation: _Citation) -> Citation:
    return Citation(
        document=citation.document_title,
        start_page=citation.start_page_number,
        end_page=citation.end_page_number,
        text=citation.cited_text or "",
    )


def _fold_usage(usage: _Usage, reply: Reply) -> None:
    if usage.input_tokens is not None:
        reply.input_tokens = usage.input_tokens
    if usage.output_tokens is not None:
        reply.output_tokens = usage.output_tokens
    if usage.cache_read_input_tokens is not None:
        reply.cache_read_tokens = usage.cache_read_input_tokens
    if usage.cache_creation_input_tokens is not None:
        reply.cache_write_tokens = usage.cache_creation_input_tokens


Block = dict[str, Any]

_UNCHANGED = ("max_tokens", "temperature", "top_p", "top_k", "stop_sequences")


def build_messages(prompt: Prompt, options: Options) -> dict[str, Any]:
    """The members of every Messages body. Options that are not set are left out.

    EndpointError: an attachment cannot be read.
    """
    cached = build_cache_control(options)
    body: dict[str, Any] = {name: getattr(options, name) for name in _UNCHANGED}
    body["messages"] = _build_turns(prompt, options)
    body["system"] = _build_system(options.system, cached)
    body["thinking"] = build_thinking(options)
    if options.tools:
        body["tools"] = _mark_last([_build_tool(tool) for tool in options.tools], cached)
        body["tool_choice"] = _build_tool_choice(options.tool_choice)
    return {name: value for name, value in body.items() if value is not None}


def build_thinking(options: Options) -> dict[str, Any] | None:
    """`thinking` as in all Claude apis; Converse passes it on unchanged."""
    if options.thinking is None:
        return None
    if options.thinking == "adaptive":
        return {"type": "adaptive"}
    return {"type": "enabled", "budget_tokens": options.thinking}


def build_cache_control(options: Options) -> Block:
    """The member that makes a block a cache point. Empty without caching. 5 minutes is the api's default."""
    if options.cache is None:
        return {}
    ttl = {} if options.cache == "5m" else {"ttl": options.cache}
    return {"cache_control": {"type": "ephemeral", **ttl}}


def _build_system(system: str | None, cached: Block) -> str | list[Block] | None:
    return [{"type": "text", "text": system, **cached}] if system and cached else system


def _build_tool(tool: Tool) -> Block:
    described = {"description": tool.description} if tool.description else {}
    return {"name": tool.name, **described, "input_schema": tool.input_schema}


def _build_tool_choice(choice: str | None) -> Block | None:
    if choice is None:
        return None
    return {"type": choice} if choice in ("auto", "any", "none") else {"type": "tool", "name": choice}


def _build_turns(prompt: Prompt, options: Options) -> list[Block]:
    """The conversation, with documents and images before the text of the last user turn."""
    turns = [_build_turn(message) for message in prompt.messages]
    attach(turns, _build_attachments(prompt, options))
    return turns


def _build_turn(message: Message) -> Block:
    return {"role": message.role, "content": message.content}


def _build_attachments(prompt: Prompt, options: Options) -> list[Block]:
    names = name_documents(prompt.documents)
    cites = {} if options.citations is None else {"citations": {"enabled": options.citations}}
    documents = [
        {"type": "document", "source": _build_source(document), "title": name, **cites}
        for document, name in zip(prompt.documents, names, strict=True)
    ]
    return _mark_last(documents, build_cache_control(options)) + [_build_image(image) for image in prompt.images]


def _build_source(document: Attachment) -> Block:
    if document.media_type == PDF:
        return {"type": "base64", "media_type": PDF, "data": read_base64(document)}
    return {"type": "text", "media_type": "text/plain", "data": read_text(document)}


def _build_image(image: Attachment) -> Block:
    return {
        "type": "image",
        "source": {"type": "base64", "media_type": image.media_type, "data": read_base64(image)},
    }


def _mark_last(blocks: list[Block], cached: Block) -> list[Block]:
    """The blocks, with the last one as a cache point."""
    return [*blocks[:-1], blocks[-1] | cached] if blocks else []
