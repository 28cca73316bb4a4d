"""Converse: Bedrock's model-independent JSON, streamed with one event per frame. Keys are sorted on the wire."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.endpoints.dialects.eventstream import encode_event
from harness.simulator.dialects.base import (
    EVENT_STREAM,
    Dialect,
    Event,
    Reply,
    bedrock_error,
    bedrock_interruption,
    padding,
)
from harness.simulator.dialects.converse_prompt import read_question
from harness.simulator.dialects.messages import SIGNATURE, tool_input
from harness.simulator.model.answers import Citation, ContentBlock


def _metadata(reply: Reply) -> dict[str, Any]:
    charged = reply.usage
    usage: dict[str, Any] = {
        "inputTokens": charged.uncached,
        "outputTokens": reply.answer.output_tokens,
        "totalTokens": charged.total + reply.answer.output_tokens,
        "cacheReadInputTokens": charged.read,
        "cacheReadInputTokenCount": charged.read,
        "cacheWriteInputTokens": charged.write,
        "cacheWriteInputTokenCount": charged.write,
        "serverToolUsage": {},
    }
    if charged.write:
        written = (("5m", charged.write_5m), ("1h", charged.write_1h))
        usage["cacheDetails"] = [{"ttl": ttl, "inputTokens": tokens} for ttl, tokens in written if tokens]
    metadata: dict[str, Any] = {"usage": usage, "metrics": {"latencyMs": reply.latency_ms}}
    if reply.question.latency is not None:
        metadata["performanceConfig"] = {"latency": reply.question.latency}
    if reply.question.service_tier is not None:
        metadata["serviceTier"] = {"type": reply.question.service_tier}
    return metadata


def _body(reply: Reply) -> bytes:
    blocks = enumerate(reply.answer.blocks)
    content = [_block(block, at) for at, block in blocks if block.text or block.kind == "tool"]
    output = {"message": {"content": content, "role": "assistant"}}
    whole = {"output": output, "stopReason": reply.answer.stop_reason, **_metadata(reply)}
    return msgspec.json.encode(whole, order="sorted")


def _block(block: ContentBlock, index: int) -> dict[str, Any]:
    if block.kind == "thinking":
        return {"reasoningContent": {"reasoningText": {"text": block.text, "signature": SIGNATURE}}}
    if block.kind == "tool":
        return {"toolUse": {**_tool_use(block, index), "input": tool_input(block)}}
    if block.citations:
        cited = [_cite(each) for each in block.citations]
        return {"citationsContent": {"content": [{"text": block.text}], "citations": cited}}
    return {"text": block.text}


def _headers(_reply: Reply) -> dict[str, str]:
    return {}


def _opening(_reply: Reply) -> tuple[Event, ...]:
    return (_event("messageStart", {"role": "assistant"}),)


def _start(block: ContentBlock, index: int) -> tuple[Event, ...]:
    """Only tool calls have a start event."""
    if block.kind != "tool":
        return ()
    return (_event("contentBlockStart", {"contentBlockIndex": index, "start": {"toolUse": _tool_use(block, index)}}),)


def _delta(kind: str, index: int, text: str) -> Event:
    if kind == "thinking":
        return _delta_event(index, {"reasoningContent": {"text": text}})
    return _delta_event(index, {"toolUse": {"input": text}} if kind == "tool" else {"text": text})


def _stop(block: ContentBlock, index: int) -> tuple[Event, ...]:
    events = [_delta_event(index, {"citation": _cite(each)}) for each in block.citations]
    if block.kind == "thinking":
        events.append(_delta_event(index, {"reasoningContent": {"signature": SIGNATURE}}))
    return (*events, _event("contentBlockStop", {"contentBlockIndex": index}))


def _ending(reply: Reply) -> tuple[Event, ...]:
    stop = _event("messageStop", {"stopReason": reply.answer.stop_reason})
    return stop, _event("metadata", _metadata(reply))


def _delta_event(index: int, delta: dict[str, Any]) -> Event:
    return _event("contentBlockDelta", {"contentBlockIndex": index, "delta": delta})


def _event(name: str, event: dict[str, Any]) -> Event:
    return Event(name, msgspec.json.encode(event, order="sorted"))


def _frame(event: Event) -> bytes:
    """Add the padding, in its place among the sorted keys."""
    padded = {**msgspec.json.decode(event.data), "p": padding(event.data)}
    return encode_event(event.name, msgspec.json.encode(padded, order="sorted"))


def _logged(event: Event) -> bytes:
    return b'{"%b":%b}' % (event.name.encode(), event.data)


def _tool_use(block: ContentBlock, index: int) -> dict[str, str]:
    return {"toolUseId": f"tooluse_{index:02}{block.tool[:16]}", "name": block.tool}


def _cite(citation: Citation) -> dict[str, Any]:
    place = "documentPage" if citation.pages else "documentChar"
    start, end = (1, 2) if citation.pages else (0, len(citation.text))
    return {
        "title": citation.title or "",
        "sourceContent": [{"text": citation.text}],
        "location": {place: {"documentIndex": citation.index, "start": start, "end": end}},
    }


CONVERSE = Dialect(
    read=read_question,
    body=_body,
    headers=_headers,
    opening=_opening,
    start=_start,
    delta=_delta,
    stop=_stop,
    ending=_ending,
    frame=_frame,
    interruption=bedrock_interruption,
    stream_headers=EVENT_STREAM,
    logged=_logged,
    error_response=bedrock_error,
)
