"""Request bodies in the Messages dialect: what InvokeModel and the Messages API have in common."""

from __future__ import annotations

from typing import Any

from harness.catalog.target import Options, Tool
from harness.endpoints.dialects.attachments import PDF, name_documents, read_base64, read_text
from harness.suite.suite import Attachment, Message, Prompt

Block = dict[str, Any]

_AS_THEY_ARE = ("max_tokens", "temperature", "top_p", "top_k", "stop_sequences")


def build_messages(prompt: Prompt, options: Options) -> dict[str, Any]:
    """The members that every Messages body has; what an option leaves open is not sent.

    Raises EndpointError at an attachment that cannot be read.
    """
    cached = build_cache_control(options)
    given: dict[str, Any] = {name: getattr(options, name) for name in _AS_THEY_ARE}
    given["messages"] = _build_turns(prompt, options)
    given["system"] = _build_system(options.system, cached)
    given["thinking"] = build_thinking(options)
    if options.tools:
        given["tools"] = _mark_last([_build_tool(tool) for tool in options.tools], cached)
        given["tool_choice"] = _build_tool_choice(options.tool_choice)
    return {name: value for name, value in given.items() if value is not None}


def build_thinking(options: Options) -> dict[str, Any] | None:
    """`thinking` as every Claude api takes it; Converse hands it on to the model as it is."""
    if options.thinking is None:
        return None
    if options.thinking == "adaptive":
        return {"type": "adaptive"}
    return {"type": "enabled", "budget_tokens": options.thinking}


def build_cache_control(options: Options) -> Block:
    """The member that makes a block a cache point; empty without caching. 5 minutes is what the api does unasked."""
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
    """The conversation, the prompt's documents and images before the text of its last user turn."""
    turns = [_build_turn(message) for message in prompt.messages]
    attached = _build_attachments(prompt, options)
    if attached:
        turn = next(turn for turn in reversed(turns) if turn["role"] == "user")
        turn["content"] = [*attached, {"type": "text", "text": turn["content"]}]
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
    """The blocks, the last of them a cache point."""
    return [*blocks[:-1], blocks[-1] | cached] if blocks else []
