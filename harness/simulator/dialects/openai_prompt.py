"""Reads the body of chat completions, and says it again in the words of the Messages API."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from harness.simulator.dialects.base import decode_body
from harness.simulator.dialects.messages_prompt import MessagesBody
from harness.simulator.faults import validation

DEFAULT_MAX_TOKENS = 4096
"""Of an answer, where the request names no limit."""


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
    """A tool, the choice of one, or a call."""

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
    """What is asked, and whether a stream is to end with its usage. Raises Refused."""
    asked: _Body = decode_body(_DECODER, body)
    told = [message for message in asked.messages if message.role in ("system", "developer")]
    limit = asked.max_completion_tokens or asked.max_tokens
    given = {
        "system": [block for message in told for block in _blocks(message)],
        "messages": [_turn(message) for message in asked.messages if message not in told],
        "max_tokens": DEFAULT_MAX_TOKENS if limit is None else limit,
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "stop_sequences": [asked.stop] if isinstance(asked.stop, str) else asked.stop or [],
        "tools": [_tool(tool.function) for tool in asked.tools],
        "tool_choice": _choice(asked.tool_choice),
    }
    counted = asked.stream_options is not None and asked.stream_options.include_usage
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
    """`data:application/pdf;base64,…` taken apart."""
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
