"""Anthropic's Messages API: the model is in the body, and a stream is server-sent events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from harness.simulator.dialects.base import Dialect, Event, Question, Reply
from harness.simulator.dialects.messages_prompt import read_body, read_question
from harness.simulator.faults import BAD_CREDENTIALS, Fault
from harness.simulator.model.answers import Citation, ContentBlock
from harness.simulator.model.profiles import ModelName

SIGNATURE = "c2ltdWxhdGVk"
"""The signature of every thinking block: base64, but meaningless."""
_TEMPLATES = {
    kind: b'{"type":"content_block_delta","index":%%d,"delta":{"type":"%s","%s":%%b}}' % (name, member)
    for kind, name, member in (
        ("text", b"text_delta", b"text"),
        ("thinking", b"thinking_delta", b"thinking"),
        ("tool", b"input_json_delta", b"partial_json"),
    )
}


def whole_message(reply: Reply) -> dict[str, Any]:
    """The JSON of an answer that is not streamed."""
    content = [_block(block, at) for at, block in enumerate(reply.answer.blocks) if _has_content(block)]
    return {**_message(reply), "content": content, **_stop(reply), "usage": _usage(reply, reply.answer.output_tokens)}


def message_start(reply: Reply) -> Event:
    """The first event of a stream."""
    start: dict[str, Any] = {"content": [], "stop_reason": None, "stop_sequence": None, "usage": _usage(reply, 1)}
    return _event({"type": "message_start", "message": {**_message(reply), **start}})


def block_start(block: ContentBlock, index: int) -> tuple[Event, ...]:
    """The events before the deltas of a block."""
    empty: dict[str, Any] = {"type": "text", "text": ""}
    if block.kind == "thinking":
        empty = {"type": "thinking", "thinking": "", "signature": ""}
    elif block.kind == "tool":
        empty = {"type": "tool_use", "id": _tool_id(block, index), "name": block.tool, "input": {}}
    elif block.citations:
        empty["citations"] = []
    return (_event({"type": "content_block_start", "index": index, "content_block": empty}),)


def block_delta(kind: str, index: int, text: str) -> Event:
    """The event of one content chunk."""
    return Event("content_block_delta", _TEMPLATES[kind] % (index, msgspec.json.encode(text)))


def block_stop(block: ContentBlock, index: int) -> tuple[Event, ...]:
    """The events after the deltas of a block: its citations, its signature, its end."""
    deltas: list[dict[str, Any]] = [{"type": "citations_delta", "citation": _cite(each)} for each in block.citations]
    if block.kind == "thinking":
        deltas.append({"type": "signature_delta", "signature": SIGNATURE})
    events = [_event({"type": "content_block_delta", "index": index, "delta": delta}) for delta in deltas]
    return (*events, _event({"type": "content_block_stop", "index": index}))


def message_delta(reply: Reply) -> Event:
    """The second-to-last event: the stop reason and the token count."""
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
    content: dict[str, Any] = {
        "input_tokens": usage.uncached,
        "cache_creation_input_tokens": usage.write,
        "cache_read_input_tokens": usage.read,
        "cache_creation": written,
        "output_tokens": output_tokens,
    }
    if reply.question.service_tier is not None:
        content["service_tier"] = "priority" if reply.question.service_tier == "priority" else "standard"
    return content


def _has_content(block: ContentBlock) -> bool:
    return bool(block.text) or block.kind == "tool"


def _block(block: ContentBlock, index: int) -> dict[str, Any]:
    if block.kind == "thinking":
        return {"type": "thinking", "thinking": block.text, "signature": SIGNATURE}
    if block.kind == "tool":
        called = {"type": "tool_use", "id": _tool_id(block, index), "name": block.tool}
        return {**called, "input": tool_input(block)}
    text: dict[str, Any] = {"type": "text", "text": block.text}
    if block.citations:
        text["citations"] = [_cite(each) for each in block.citations]
    return text


def tool_input(block: ContentBlock) -> dict[str, Any]:
    """The input of a tool call; empty if `max_tokens` truncated it."""
    try:
        return msgspec.json.decode(block.text, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}


def _tool_id(block: ContentBlock, index: int) -> str:
    return f"toolu_bdrk_{index:02}{block.tool[:16]}"


def _cite(citation: Citation) -> dict[str, Any]:
    common = {
        "cited_text": citation.text,
        "document_index": citation.index,
        "document_title": citation.title,
    }
    if citation.pages:
        return {"type": "page_location", **common, "start_page_number": 1, "end_page_number": 2}
    return {"type": "char_location", **common, "start_char_index": 0, "end_char_index": len(citation.text)}


ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}
_PING = Event("ping", b'{"type":"ping"}')


def _read(body: bytes, headers: Mapping[bytes, bytes], model: ModelName) -> Question:
    return read_question(read_body(body), headers, model)


def _body(reply: Reply) -> bytes:
    return msgspec.json.encode(whole_message(reply))


def _headers(reply: Reply) -> dict[str, str]:
    return {"request-id": reply.request_id}


def _opening(reply: Reply) -> tuple[Event, ...]:
    return (message_start(reply),)


def _start(block: ContentBlock, index: int) -> tuple[Event, ...]:
    return (*block_start(block, index), *([_PING] if index == 0 else []))


def _ending(reply: Reply) -> tuple[Event, ...]:
    return message_delta(reply), Event("message_stop", b'{"type":"message_stop"}')


def _frame(event: Event) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event.name.encode(), event.data)


def _interruption(fault: Fault) -> bytes:
    return _frame(Event("error", msgspec.json.encode({"type": "error", "error": _error(fault)})))


def _error(fault: Fault) -> dict[str, str]:
    return {"type": error_type(fault, "api_error"), "message": fault.message}


def error_type(fault: Fault, other: str) -> str:
    """The type of a fault in an error body: of rejected credentials, whatever their status; else that of the status."""
    status = 401 if fault.code in BAD_CREDENTIALS else fault.status
    return ERROR_TYPES.get(status, other)


def _error_response(fault: Fault, request_id: str) -> tuple[bytes, dict[str, str]]:
    error = _error(fault)
    return msgspec.json.encode({"type": "error", "error": error, "request_id": request_id}), {"request-id": request_id}


MESSAGES = Dialect(
    read=_read,
    body=_body,
    headers=_headers,
    opening=_opening,
    start=_start,
    delta=block_delta,
    stop=block_stop,
    ending=_ending,
    frame=_frame,
    interruption=_interruption,
    stream_headers={"Content-Type": "text/event-stream; charset=utf-8", "Transfer-Encoding": "chunked"},
    logged=lambda event: event.data,
    error_response=_error_response,
)
