"""Writes the answers of the Messages API: the whole message and the events of a stream."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.simulator.dialects.base import Event, Reply
from harness.simulator.model.answers import Citation, ContentBlock

SIGNATURE = "c2ltdWxhdGVk"
"""Of every thought: base64, and proof of nothing."""
_TEMPLATES = {
    kind: b'{"type":"content_block_delta","index":%%d,"delta":{"type":"%s","%s":%%b}}' % (name, member)
    for kind, name, member in (
        ("text", b"text_delta", b"text"),
        ("thinking", b"thinking_delta", b"thinking"),
        ("tool", b"input_json_delta", b"partial_json"),
    )
}


def whole_message(reply: Reply) -> dict[str, Any]:
    """The answer, not streamed."""
    content = [_block(passage, at) for at, passage in enumerate(reply.answer.passages) if _is_said(passage)]
    return {**_message(reply), "content": content, **_stop(reply), "usage": _usage(reply, reply.answer.output_tokens)}


def message_start(reply: Reply) -> Event:
    """The first event."""
    start: dict[str, Any] = {"content": [], "stop_reason": None, "stop_sequence": None, "usage": _usage(reply, 1)}
    return _event({"type": "message_start", "message": {**_message(reply), **start}})


def block_start(passage: ContentBlock, index: int) -> tuple[Event, ...]:
    """What goes before the deltas of a passage."""
    empty: dict[str, Any] = {"type": "text", "text": ""}
    if passage.kind == "thinking":
        empty = {"type": "thinking", "thinking": "", "signature": ""}
    elif passage.kind == "tool":
        empty = {"type": "tool_use", "id": _tool_id(passage, index), "name": passage.tool, "input": {}}
    elif passage.citations:
        empty["citations"] = []
    return (_event({"type": "content_block_start", "index": index, "content_block": empty}),)


def block_delta(kind: str, index: int, text: str) -> Event:
    """One content chunk."""
    return Event("content_block_delta", _TEMPLATES[kind] % (index, msgspec.json.encode(text)))


def block_stop(passage: ContentBlock, index: int) -> tuple[Event, ...]:
    """What goes after the deltas of a passage: its signature, its citations, its end."""
    deltas: list[dict[str, Any]] = [{"type": "citations_delta", "citation": _cite(each)} for each in passage.citations]
    if passage.kind == "thinking":
        deltas.append({"type": "signature_delta", "signature": SIGNATURE})
    events = [_event({"type": "content_block_delta", "index": index, "delta": delta}) for delta in deltas]
    return (*events, _event({"type": "content_block_stop", "index": index}))


def message_delta(reply: Reply) -> Event:
    """The last event but one: why it stopped, and the count of tokens."""
    output_tokens = reply.answer.output_tokens
    return _event({"type": "message_delta", "delta": _stop(reply), "usage": {"output_tokens": output_tokens}})


def _event(event: dict[str, Any]) -> Event:
    return Event(event["type"], msgspec.json.encode(event))


def _message(reply: Reply) -> dict[str, Any]:
    return {
        "model": reply.model.short,
        "id": "msg_bdrk_" + reply.request_id.replace("-", "")[:24],
        "type": "message",
        "role": "assistant",
    }


def _stop(reply: Reply) -> dict[str, str | None]:
    return {"stop_reason": reply.answer.stop_reason, "stop_sequence": reply.answer.stop_sequence}


def _usage(reply: Reply, output_tokens: int) -> dict[str, Any]:
    usage = reply.usage
    written = {"ephemeral_5m_input_tokens": usage.write_5m, "ephemeral_1h_input_tokens": usage.write_1h}
    told: dict[str, Any] = {
        "input_tokens": usage.uncached,
        "cache_creation_input_tokens": usage.write,
        "cache_read_input_tokens": usage.read,
        "cache_creation": written,
        "output_tokens": output_tokens,
    }
    if reply.question.service_tier is not None:
        told["service_tier"] = "priority" if reply.question.service_tier == "priority" else "standard"
    return told


def _is_said(passage: ContentBlock) -> bool:
    return bool(passage.text) or passage.kind == "tool"


def _block(passage: ContentBlock, index: int) -> dict[str, Any]:
    if passage.kind == "thinking":
        return {"type": "thinking", "thinking": passage.text, "signature": SIGNATURE}
    if passage.kind == "tool":
        called = {"type": "tool_use", "id": _tool_id(passage, index), "name": passage.tool}
        return {**called, "input": tool_input(passage)}
    block: dict[str, Any] = {"type": "text", "text": passage.text}
    if passage.citations:
        block["citations"] = [_cite(each) for each in passage.citations]
    return block


def tool_input(passage: ContentBlock) -> dict[str, Any]:
    """A call's input; empty where `max_tokens` cut it short."""
    try:
        return msgspec.json.decode(passage.text, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}


def _tool_id(passage: ContentBlock, index: int) -> str:
    return f"toolu_bdrk_{index:02}{passage.tool[:16]}"


def _cite(citation: Citation) -> dict[str, Any]:
    common = {
        "cited_text": citation.text,
        "document_index": citation.index,
        "document_title": citation.title,
    }
    if citation.pages:
        return {"type": "page_location", **common, "start_page_number": 1, "end_page_number": 2}
    return {"type": "char_location", **common, "start_char_index": 0, "end_char_index": len(citation.text)}
