"""Chat completions: the model is in the body, and a stream is server-sent events that end with `[DONE]`.

A body is parsed by translating it to the Messages API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from harness.simulator.dialects.base import Dialect, Event, Question, Reply, decode_body
from harness.simulator.dialects.messages import error_type
from harness.simulator.dialects.messages_prompt import MessagesBody, read_question
from harness.simulator.faults import Fault, validation
from harness.simulator.model.answers import ContentBlock
from harness.simulator.model.profiles import ModelName

DEFAULT_MAX_TOKENS = 4096
"""Used if the request sets no limit."""


class _Url(msgspec.Struct, frozen=True):
    url: str


class _File(msgspec.Struct, frozen=True):
    file_data: str
    filename: str | None = None


class _Part(msgspec.Struct, frozen=True):
    type: Literal["text", "image_url", "file"]
    text: str = ""
    image_url: _Url | None = None
    file: _File | None = None


class _Function(msgspec.Struct, frozen=True):
    name: str = ""
    description: str = ""
    parameters: dict[str, Any] = {}
    arguments: str = ""


class _Named(msgspec.Struct, frozen=True):
    """A tool, a tool choice, or a tool call."""

    function: _Function
    type: Literal["function"] = "function"


class _Message(msgspec.Struct, frozen=True):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[_Part] | None = None
    tool_calls: list[_Named] = []


class _StreamOptions(msgspec.Struct, frozen=True):
    include_usage: bool = False


class _Body(msgspec.Struct, frozen=True, kw_only=True):
    messages: list[_Message]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: str | list[str] | None = None
    stream_options: _StreamOptions | None = None
    tools: list[_Named] = []
    tool_choice: Literal["none", "auto", "required"] | _Named | None = None


_DECODER = msgspec.json.Decoder(_Body)


def read_body(body: bytes) -> tuple[MessagesBody, bool]:
    """The translated body, and whether a stream ends with its usage. Raises ServiceError."""
    request: _Body = decode_body(_DECODER, body)
    system = [message for message in request.messages if message.role in ("system", "developer")]
    limit = request.max_completion_tokens or request.max_tokens
    given = {
        "system": [block for message in system for block in _blocks(message)],
        "messages": [_turn(message) for message in request.messages if message not in system],
        "max_tokens": DEFAULT_MAX_TOKENS if limit is None else limit,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop_sequences": [request.stop] if isinstance(request.stop, str) else request.stop or [],
        "tools": [_tool(tool.function) for tool in request.tools],
        "tool_choice": _choice(request.tool_choice),
    }
    counted = request.stream_options is not None and request.stream_options.include_usage
    return msgspec.convert(given, MessagesBody), counted


def _turn(message: _Message) -> dict[str, Any]:
    role = "assistant" if message.role == "assistant" else "user"
    plain = isinstance(message.content, str) and not message.tool_calls
    return {"role": role, "content": message.content if plain else _blocks(message)}


def _blocks(message: _Message) -> list[dict[str, Any]]:
    if isinstance(message.content, str):
        blocks = [{"type": "text", "text": message.content}]
    else:
        blocks = [_block(part) for part in message.content or ()]
    called = [{"type": "text", "text": call.function.name + call.function.arguments} for call in message.tool_calls]
    return blocks + called


def _block(part: _Part) -> dict[str, Any]:
    if part.type == "text":
        return {"type": "text", "text": part.text}
    if part.type == "image_url" and part.image_url is not None:
        return {"type": "image", "source": _source(part.image_url.url)}
    if part.type == "file" and part.file is not None:
        return {"type": "document", "title": part.file.filename, "source": _source(part.file.file_data)}
    raise validation(f"messages: a part of type {part.type!r} needs a member of that name")


def _source(url: str) -> dict[str, str]:
    """Split a data URL such as `data:application/pdf;base64,…`."""
    kind, comma, data = url.removeprefix("data:").partition(",")
    if not comma or not url.startswith("data:") or not kind.endswith(";base64"):
        raise validation("messages: files and images are taken as data URLs in base64 only")
    return {"type": "base64", "media_type": kind.removesuffix(";base64"), "data": data}


def _tool(function: _Function) -> dict[str, Any]:
    return {"name": function.name, "description": function.description, "input_schema": function.parameters}


def _choice(choice: str | _Named | None) -> dict[str, str] | None:
    if choice is None:
        return None
    if isinstance(choice, str):
        return {"type": "any" if choice == "required" else choice}
    return {"type": "tool", "name": choice.function.name}


_FINISH_REASONS = {"max_tokens": "length", "tool_use": "tool_calls"}
_DONE = b"[DONE]"
_CHUNK = {"id": "chatcmpl-simulated", "object": "chat.completion.chunk", "created": 0, "model": "simulated"}
"""The same for every chunk, so that encoded chunks can be cached."""
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
    request, counted = read_body(body)
    return msgspec.structs.replace(read_question(request, headers, model), counted=counted)


def _body(reply: Reply) -> bytes:
    message: dict[str, Any] = {"role": "assistant", "content": None}
    for block in reply.answer.blocks:
        if block.kind == "tool":
            message["tool_calls"] = [_call(block, block.text)]
        else:
            message["content" if block.kind == "text" else "reasoning_content"] = block.text
    choice = {"index": 0, "message": message, "finish_reason": _finish_reason(reply)}
    whole = {"id": f"chatcmpl-{reply.request_id}", "object": "chat.completion", "created": 0}
    return msgspec.json.encode({**whole, "model": reply.model.short, "choices": [choice], "usage": _usage(reply)})


def _headers(reply: Reply) -> dict[str, str]:
    return {}


def _opening(reply: Reply) -> tuple[Event, ...]:
    return (_event({"role": "assistant", "content": ""}),)


def _start(block: ContentBlock, index: int) -> tuple[Event, ...]:
    return (_event({"tool_calls": [{"index": 0, **_call(block, "")}]}),) if block.kind == "tool" else ()


def _delta(kind: str, index: int, text: str) -> Event:
    return Event("", _TEMPLATES[kind].replace(b"%b", msgspec.json.encode(text)))


def _stop(block: ContentBlock, index: int) -> tuple[Event, ...]:
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


def _error_response(fault: Fault, request_id: str) -> tuple[bytes, dict[str, str]]:
    return msgspec.json.encode({"error": _error(fault)}), {}


def _error(fault: Fault) -> dict[str, Any]:
    return {"message": fault.message, "type": error_type(fault, "server_error"), "param": None}


def _event(delta: dict[str, Any], finish_reason: str | None = None) -> Event:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return Event("", msgspec.json.encode({**_CHUNK, "choices": [choice]}))


def _call(block: ContentBlock, arguments: str) -> dict[str, Any]:
    called = {"name": block.tool, "arguments": arguments}
    return {"id": f"call_{block.tool[:16]}", "type": "function", "function": called}


def _finish_reason(reply: Reply) -> str:
    return _FINISH_REASONS.get(reply.answer.stop_reason, "stop")


def _usage(reply: Reply) -> dict[str, Any]:
    usage, output_tokens = reply.usage, reply.answer.output_tokens
    return {
        "prompt_tokens": usage.total,
        "completion_tokens": output_tokens,
        "total_tokens": usage.total + output_tokens,
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
    error_response=_error_response,
)
