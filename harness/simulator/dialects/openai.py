"""Chat completions: the model in the body, a stream of server-sent events that ends with `[DONE]`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from harness.simulator.dialects.base import Dialect, Event, Question, Reply
from harness.simulator.dialects.messages import ERROR_TYPES
from harness.simulator.dialects.messages_prompt import read_question
from harness.simulator.dialects.openai_prompt import read_body
from harness.simulator.faults import Fault
from harness.simulator.model.answers import ContentBlock
from harness.simulator.model.profiles import ModelName

_FINISH_REASONS = {"max_tokens": "length", "tool_use": "tool_calls"}
_DONE = b"[DONE]"
_CHUNK = {"id": "chatcmpl-simulated", "object": "chat.completion.chunk", "created": 0, "model": "simulated"}
"""Of every chunk alike, so that what is said again need not be written again."""
_TEMPLATES = {
    kind: b'{"id":"chatcmpl-simulated","object":"chat.completion.chunk","created":0,"model":"simulated",'
    b'"choices":[{"index":0,"delta":{%b},"finish_reason":null}]}' % member
    for kind, member in (
        ("text", b'"content":%b'),
        ("thinking", b'"reasoning_content":%b'),
        ("tool", b'"tool_calls":[{"index":0,"function":{"arguments":%b}}]'),
    )
}


def _read(body: bytes, headers: Mapping[bytes, bytes], model: ModelName) -> Question:
    asked, counted = read_body(body)
    return msgspec.structs.replace(read_question(asked, headers, model), counted=counted)


def _body(reply: Reply) -> bytes:
    said: dict[str, Any] = {"role": "assistant", "content": None}
    for passage in reply.answer.passages:
        if passage.kind == "tool":
            said["tool_calls"] = [_call(passage, passage.text)]
        else:
            said["content" if passage.kind == "text" else "reasoning_content"] = passage.text
    choice = {"index": 0, "message": said, "finish_reason": _finish_reason(reply)}
    whole = {"id": f"chatcmpl-{reply.request_id}", "object": "chat.completion", "created": 0}
    return msgspec.json.encode({**whole, "model": reply.model.short, "choices": [choice], "usage": _usage(reply)})


def _headers(reply: Reply) -> dict[str, str]:
    return {}


def _opening(reply: Reply) -> tuple[Event, ...]:
    return (_event({"role": "assistant", "content": ""}),)


def _start(passage: ContentBlock, index: int) -> tuple[Event, ...]:
    return (_event({"tool_calls": [{"index": 0, **_call(passage, "")}]}),) if passage.kind == "tool" else ()


def _delta(kind: str, index: int, text: str) -> Event:
    return Event("", _TEMPLATES[kind].replace(b"%b", msgspec.json.encode(text)))


def _stop(passage: ContentBlock, index: int) -> tuple[Event, ...]:
    return ()


def _ending(reply: Reply) -> tuple[Event, ...]:
    ended = _event({}, _finish_reason(reply))
    counted = Event("", msgspec.json.encode({**_CHUNK, "choices": [], "usage": _usage(reply)}))
    return (ended, *([counted] if reply.question.counted else []), Event("", _DONE))


def _frame(event: Event) -> bytes:
    return b"data: %b\n\n" % event.data


def _logged(event: Event) -> bytes:
    return b'"[DONE]"' if event.data == _DONE else event.data


def _interruption(fault: Fault) -> bytes:
    return _frame(Event("", msgspec.json.encode({"error": _error(fault)})))


def _refusal(fault: Fault, request_id: str) -> tuple[bytes, dict[str, str]]:
    return msgspec.json.encode({"error": _error(fault)}), {}


def _error(fault: Fault) -> dict[str, Any]:
    return {"message": fault.message, "type": ERROR_TYPES.get(fault.status, "server_error"), "param": None}


def _event(delta: dict[str, Any], finish_reason: str | None = None) -> Event:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return Event("", msgspec.json.encode({**_CHUNK, "choices": [choice]}))


def _call(passage: ContentBlock, arguments: str) -> dict[str, Any]:
    called = {"name": passage.tool, "arguments": arguments}
    return {"id": f"call_{passage.tool[:16]}", "type": "function", "function": called}


def _finish_reason(reply: Reply) -> str:
    return _FINISH_REASONS.get(reply.answer.stop_reason, "stop")


def _usage(reply: Reply) -> dict[str, Any]:
    usage, said = reply.usage, reply.answer.output_tokens
    return {
        "prompt_tokens": usage.total,
        "completion_tokens": said,
        "total_tokens": usage.total + said,
        "prompt_tokens_details": {"cached_tokens": usage.read},
    }


OPENAI = Dialect(
    read=_read,
    body=_body,
    headers=_headers,
    opening=_opening,
    start=_start,
    delta=_delta,
    stop=_stop,
    ending=_ending,
    frame=_frame,
    interruption=_interruption,
    stream_headers={"Content-Type": "text/event-stream; charset=utf-8", "Transfer-Encoding": "chunked"},
    logged=_logged,
    refusal=_refusal,
)
