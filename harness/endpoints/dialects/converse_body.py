"""Request bodies in the Converse dialect, documents and images as raw bytes (the SDK encodes them)."""

from __future__ import annotations

from typing import Any

from harness.catalog.target import Options, Tool
from harness.endpoints.dialects.attachments import PDF, name_documents, read_bytes
from harness.endpoints.dialects.messages_body import Block, build_thinking
from harness.suite.suite import Attachment, Prompt

_FORMATS = {PDF: "pdf", "text/csv": "csv", "text/html": "html", "text/markdown": "md"}
"""Converse's word for a document's media type; any other text is `txt`."""


def build_body(prompt: Prompt, options: Options) -> dict[str, Any]:
    """The JSON body of Converse; what an option leaves open is not sent.

    Raises EndpointError at an attachment that cannot be read.
    """
    cached = _build_cache_point(options)
    inference = {
        "maxTokens": options.max_tokens,
        "temperature": options.temperature,
        "topP": options.top_p,
        "stopSequences": options.stop_sequences,
    }
    beside = {"top_k": options.top_k, "thinking": build_thinking(options), "anthropic_beta": options.beta or None}
    given = {
        "messages": _build_turns(prompt, options, cached),
        "system": [{"text": options.system}, *cached] if options.system is not None else None,
        "inferenceConfig": _said(inference),
        "toolConfig": _build_tool_config(options, cached),
        "additionalModelRequestFields": _said(beside) or None,
        "performanceConfig": {"latency": options.latency} if options.latency else None,
        "serviceTier": {"type": options.service_tier} if options.service_tier else None,
    }
    return _said(given)


def build_headers(options: Options) -> dict[str, str]:
    """None: Converse takes everything in its body."""
    return {}


def _said(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _build_cache_point(options: Options) -> list[Block]:
    """The block that follows what is to be cached; none without caching. 5 minutes is what the api does unasked."""
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
    """The conversation, the prompt's documents and images before the text of its last user turn."""
    turns: list[Block] = [{"role": message.role, "content": [{"text": message.content}]} for message in prompt.messages]
    documents = _build_documents(prompt, options)
    attached = [*documents, *(cached if documents else []), *map(_build_image, prompt.images)]
    if attached:
        turn = next(turn for turn in reversed(turns) if turn["role"] == "user")
        turn["content"] = [*attached, *turn["content"]]
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
