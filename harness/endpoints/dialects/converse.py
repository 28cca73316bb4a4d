"""The Converse dialect: request bodies, with documents and images as raw bytes, and answers, whole and by event."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.catalog.target import Options, Tool
from harness.endpoints.dialects.attachments import PDF, attach, name_documents, read_bytes
from harness.endpoints.dialects.eventstream import FrameDecoder
from harness.endpoints.dialects.messages import Block, build_thinking
from harness.endpoints.reply import Citation, Milliseconds, Reply, Tokens, ToolCall
from harness.suite.suite import Attachment, Prompt

__all__ = ["TERMINAL", "build_body", "build_headers", "make_decoder", "read_body", "read_event"]

TERMINAL = "metadata"
"""The last event, with the usage. It follows `messageStop`; both are required."""

make_decoder = FrameDecoder


class _Usage(msgspec.Struct, frozen=True, rename="camel"):
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    cache_read_input_tokens: Tokens | None = None
    cache_write_input_tokens: Tokens | None = None


class _Metrics(msgspec.Struct, frozen=True, rename="camel"):
    latency_ms: Milliseconds | None = None


class _Text(msgspec.Struct, frozen=True):
    text: str | None = None


class _Pages(msgspec.Struct, frozen=True):
    start: int | None = None
    end: int | None = None


class _Location(msgspec.Struct, frozen=True, rename="camel"):
    document_page: _Pages = _Pages()


class _Citation(msgspec.Struct, frozen=True, rename="camel"):
    title: str | None = None
    source_content: list[_Text] = []
    location: _Location = _Location()


class _ToolStart(msgspec.Struct, frozen=True):
    name: str


class _Start(msgspec.Struct, frozen=True, rename="camel"):
    tool_use: _ToolStart | None = None


class _ToolDelta(msgspec.Struct, frozen=True):
    input: str | None = None


class _Delta(msgspec.Struct, frozen=True, rename="camel", gc=False):
    text: str = ""
    tool_use: _ToolDelta | None = None
    reasoning_content: _Text | None = None
    citation: _Citation | None = None


class _Event(msgspec.Struct, frozen=True, rename="camel", gc=False):
    content_block_index: int = 0
    start: _Start | None = None
    delta: _Delta | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None
    metrics: _Metrics | None = None


class _Cited(msgspec.Struct, frozen=True):
    content: list[_Text] = []
    citations: list[_Citation] = []


class _ToolUse(msgspec.Struct, frozen=True):
    name: str
    input: msgspec.Raw = msgspec.Raw(b"{}")


class _Block(msgspec.Struct, frozen=True, rename="camel"):
    text: str = ""
    citations_content: _Cited = _Cited()
    tool_use: _ToolUse | None = None
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


def read_event(event_type: str, payload: bytes, at_ns: int, reply: Reply) -> None:
    """Fold one frame that was complete at `at_ns`. msgspec.DecodeError: no such event."""
    event = _event.decode(payload)
    if event.start is not None and event.start.tool_use is not None:
        reply.tools[event.content_block_index] = ToolCall(name=event.start.tool_use.name)
        reply.chunk_ns.append(at_ns)
    if event.delta is not None:
        _fold_delta(event.delta, event.content_block_index, at_ns, reply)
    if event.stop_reason is not None:
        reply.stop_reason = event.stop_reason
    if event.usage is not None:
        _fold_usage(event.usage, reply)
    if event.metrics is not None:
        reply.server_latency_ms = event.metrics.latency_ms
    if event_type == TERMINAL and reply.stop_reason is not None:
        reply.complete = True


def read_body(body: bytes, at_ns: int, reply: Reply) -> None:
    """Fold a whole answer that arrived at `at_ns`. msgspec.DecodeError: not an answer of this dialect."""
    answer = _answer.decode(body)
    blocks = answer.output.message.content
    for index, block in enumerate(blocks):
        _fold_block(block, index, reply)
    if reply.texts or reply.tools or any(block.reasoning_content for block in blocks):
        reply.chunk_ns = [at_ns]
    reply.stop_reason = answer.stop_reason
    reply.server_latency_ms = answer.metrics.latency_ms
    _fold_usage(answer.usage, reply)
    reply.complete = True


def _fold_block(block: _Block, index: int, reply: Reply) -> None:
    """Fold a block: its own text, then that of its citations. Answers with citations have only the latter."""
    cited = block.citations_content
    reply.texts += [text for text in (block.text, *(part.text for part in cited.content)) if text]
    reply.cited += map(_to_citation, cited.citations)
    if block.tool_use is not None:
        reply.tools[index] = ToolCall(name=block.tool_use.name, pieces=[bytes(block.tool_use.input).decode()])


def _fold_delta(delta: _Delta, index: int, at_ns: int, reply: Reply) -> None:
    if delta.text:
        reply.texts.append(delta.text)
    tool = delta.tool_use.input if delta.tool_use is not None else None
    if tool and index in reply.tools:
        reply.tools[index].pieces.append(tool)
    if delta.citation is not None:
        reply.cited.append(_to_citation(delta.citation))
    thinking = delta.reasoning_content.text if delta.reasoning_content is not None else None
    if delta.text or tool or thinking:
        reply.chunk_ns.append(at_ns)


def _to_citation(citation: _Citation) -> Citation:
    pages = citation.location.document_page
    text = "".join(part.text or "" for part in citation.source_content)
    return Citation(document=citation.title, start_page=pages.start, end_page=pages.end, text=text)


def _fold_usage(usage: _Usage, reply: Reply) -> None:
    reply.input_tokens = usage.input_tokens
    reply.output_tokens = usage.output_tokens
    reply.cache_read_tokens = usage.cache_read_input_tokens
    reply.cache_write_tokens = usage.cache_write_input_tokens


_FORMATS = {PDF: "pdf", "text/csv": "csv", "text/html": "html", "text/markdown": "md"}
"""Media type → Converse's format. Any other text is `txt`."""


def build_body(prompt: Prompt, options: Options) -> dict[str, Any]:
    """The JSON body of Converse. Options that are not set are left out.

    EndpointError: an attachment cannot be read.
    """
    cached = _build_cache_point(options)
    inference = {
        "maxTokens": options.max_tokens,
        "temperature": options.temperature,
        "topP": options.top_p,
        "stopSequences": options.stop_sequences,
    }
    additional = {"top_k": options.top_k, "thinking": build_thinking(options), "anthropic_beta": options.beta or None}
    body = {
        "messages": _build_turns(prompt, options, cached),
        "system": [{"text": options.system}, *cached] if options.system is not None else None,
        "inferenceConfig": _without_none(inference),
        "toolConfig": _build_tool_config(options, cached),
        "additionalModelRequestFields": _without_none(additional) or None,
        "performanceConfig": {"latency": options.latency} if options.latency else None,
        "serviceTier": {"type": options.service_tier} if options.service_tier else None,
    }
    return _without_none(body)


def build_headers(options: Options) -> dict[str, str]:
    """No headers: Converse takes all options in its body."""
    return {}


def _without_none(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _build_cache_point(options: Options) -> list[Block]:
    """A block that marks a cache point, or none without caching. 5 minutes is the api's default."""
    if options.cache is None:
        return []
    ttl = {} if options.cache == "5m" else {"ttl": options.cache}
    return [{"cachePoint": {"type": "default", **ttl}}]


def _build_tool_config(options: Options, cached: list[Block]) -> Block | None:
    if not options.tools:
        return None
    config: Block = {"tools": [*map(_build_tool, options.tools), *cached]}
    match options.tool_choice:
        case None:
            return config
        case "auto" | "any" as choice:
            return config | {"toolChoice": {choice: {}}}
        case name:
            return config | {"toolChoice": {"tool": {"name": name}}}


def _build_tool(tool: Tool) -> Block:
    described = {"description": tool.description} if tool.description else {}
    return {"toolSpec": {"name": tool.name, **described, "inputSchema": {"json": tool.input_schema}}}


def _build_turns(prompt: Prompt, options: Options, cached: list[Block]) -> list[Block]:
    """The conversation, with documents and images before the text of the last user turn."""
    turns: list[Block] = [{"role": message.role, "content": [{"text": message.content}]} for message in prompt.messages]
    documents = _build_documents(prompt, options)
    attach(turns, [*documents, *(cached if documents else []), *map(_build_image, prompt.images)])
    return turns


def _build_documents(prompt: Prompt, options: Options) -> list[Block]:
    cites = {} if options.citations is None else {"citations": {"enabled": options.citations}}
    names = name_documents(prompt.documents)
    return [
        {"document": _build_document(each, name) | cites} for each, name in zip(prompt.documents, names, strict=True)
    ]


def _build_document(document: Attachment, name: str) -> Block:
    known = _FORMATS.get(document.media_type, "txt")
    return {"format": known, "name": name, "source": {"bytes": read_bytes(document)}}


def _build_image(image: Attachment) -> Block:
    return {"image": {"format": image.media_type.removeprefix("image/"), "source": {"bytes": read_bytes(image)}}}
