"""The dialect of chat completions, which bedrock-runtime and many local servers support.

Replies use the terms of Claude's own apis: `input_tokens` excludes cached tokens, and `stop_reason` is translated.
"""

from __future__ import annotations

from typing import Any

import msgspec

from harness.catalog.target import Options, Tool
from harness.endpoints.dialects.attachments import PDF, attach, name_documents, read_base64, read_text
from harness.endpoints.dialects.sse import SseDecoder
from harness.endpoints.reply import Reply, StreamFailure, Tokens, ToolCall
from harness.suite.suite import Attachment, Prompt

__all__ = ["TERMINAL", "build_body", "build_headers", "make_decoder", "read_body", "read_event"]

TERMINAL = "[DONE]"
"""The data of the last event, which must follow the finish reason."""

STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
"""`finish_reason` → `stop_reason` of Claude's own apis. A stop sequence cannot be told from a normal end."""

make_decoder = SseDecoder


class _Details(msgspec.Struct, frozen=True):
    cached_tokens: Tokens | None = None


class _Usage(msgspec.Struct, frozen=True):
    prompt_tokens: Tokens | None = None
    completion_tokens: Tokens | None = None
    prompt_tokens_details: _Details | None = None


class _Function(msgspec.Struct, frozen=True):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct, frozen=True):
    function: _Function = _Function()
    index: int | None = None


class _Message(msgspec.Struct, frozen=True):
    """A message or a delta of one. Servers use either of two names for thinking."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct, frozen=True):
    delta: _Message | None = None
    message: _Message | None = None
    finish_reason: str | None = None


class _Error(msgspec.Struct, frozen=True):
    message: str | None = None
    type: str | None = None
    code: str | int | None = None


class _Event(msgspec.Struct, frozen=True):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: _Error | str | None = None


class _Answer(msgspec.Struct, frozen=True):
    choices: list[_Choice]
    usage: _Usage | None = None


_event = msgspec.json.Decoder(_Event)
_answer = msgspec.json.Decoder(_Answer)


def read_event(event_type: str, payload: bytes, at_ns: int, reply: Reply) -> None:
    """Fold one event that was complete at `at_ns`. msgspec.DecodeError: no such event; StreamFailure: an error."""
    if payload == b"[DONE]":
        reply.complete = reply.stop_reason is not None
        return
    event = _event.decode(payload)
    if event.error is not None:
        raise _to_failure(event.error)
    for choice in event.choices or ():
        if choice.delta is not None and _fold(choice.delta, reply):
            reply.chunk_ns.append(at_ns)
        _fold_stop(choice, reply)
    if event.usage is not None:
        _fold_usage(event.usage, reply)


def read_body(body: bytes, at_ns: int, reply: Reply) -> None:
    """Fold a whole answer that arrived at `at_ns`. msgspec.DecodeError: not an answer of this dialect."""
    answer = _answer.decode(body)
    for choice in answer.choices:
        if choice.message is not None and _fold(choice.message, reply):
            reply.chunk_ns = [at_ns]
        _fold_stop(choice, reply)
    if answer.usage is not None:
        _fold_usage(answer.usage, reply)
    reply.complete = True


def _fold(message: _Message, reply: Reply) -> bool:
    """Fold a message; returns whether it has content: text, thinking, or part of a tool call."""
    if message.content:
        reply.texts.append(message.content)
    calls = [_fold_call(call, at, reply) for at, call in enumerate(message.tool_calls or ())]
    return bool(message.content or message.reasoning_content or message.reasoning or any(calls))


def _fold_call(call: _Call, at: int, reply: Reply) -> bool:
    """Fold part of a tool call: the name starts it; the arguments come with it or in later pieces."""
    index = at if call.index is None else call.index
    name, arguments = call.function.name, call.function.arguments
    if name and index not in reply.tools:
        reply.tools[index] = ToolCall(name=name)
    if arguments and index in reply.tools:
        reply.tools[index].pieces.append(arguments)
    return bool(name or arguments)


def _fold_stop(choice: _Choice, reply: Reply) -> None:
    if choice.finish_reason is not None:
        reply.stop_reason = STOP_REASONS.get(choice.finish_reason, choice.finish_reason)


def _fold_usage(usage: _Usage, reply: Reply) -> None:
    cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details is not None else None
    if usage.prompt_tokens is not None:
        reply.input_tokens = max(0, usage.prompt_tokens - (cached or 0))
    if usage.completion_tokens is not None:
        reply.output_tokens = usage.completion_tokens
    reply.cache_read_tokens = cached


def _to_failure(error: _Error | str) -> StreamFailure:
    if isinstance(error, str):
        return StreamFailure("", error)
    return StreamFailure(error.type or str(error.code or ""), error.message or "")


Block = dict[str, Any]

_CHOICES = {"any": "required"}


def build_body(prompt: Prompt, options: Options) -> dict[str, Any]:
    """The JSON body, without `model` and `stream`. Options that are not set are left out.

    `max_tokens` is the older name of the limit, which all servers know. EndpointError: an attachment cannot be read.
    """
    body = {
        "messages": _build_messages(prompt, options),
        "max_tokens": options.max_tokens,
        "temperature": options.temperature,
        "top_p": options.top_p,
        "stop": options.stop_sequences,
        "tools": [_build_tool(tool) for tool in options.tools] if options.tools else None,
        "tool_choice": _build_tool_choice(options.tool_choice),
    }
    return {name: value for name, value in body.items() if value is not None}


def build_headers(options: Options) -> dict[str, str]:
    """No headers: all options are in the body."""
    return {}


def _build_messages(prompt: Prompt, options: Options) -> list[Block]:
    """The conversation, with documents and images before the text of the last user turn."""
    turns: list[Block] = [{"role": message.role, "content": message.content} for message in prompt.messages]
    names = name_documents(prompt.documents)
    documents = [_build_document(*each) for each in zip(prompt.documents, names, strict=True)]
    attach(turns, [*documents, *map(_build_image, prompt.images)])
    return [{"role": "system", "content": options.system}, *turns] if options.system is not None else turns


def _build_document(document: Attachment, name: str) -> Block:
    """A PDF as a file; a text document as text below its name, as the dialect has no text documents."""
    if document.media_type != PDF:
        return {"type": "text", "text": f"{name}:\n{read_text(document)}"}
    return {"type": "file", "file": {"filename": f"{name}.pdf", "file_data": _data_url(document)}}


def _build_image(image: Attachment) -> Block:
    return {"type": "image_url", "image_url": {"url": _data_url(image)}}


def _data_url(attachment: Attachment) -> str:
    return f"data:{attachment.media_type};base64,{read_base64(attachment)}"


def _build_tool(tool: Tool) -> Block:
    described = {"description": tool.description} if tool.description else {}
    return {"type": "function", "function": {"name": tool.name, **described, "parameters": tool.input_schema}}


def _build_tool_choice(choice: str | None) -> str | Block | None:
    if choice is None:
        return None
    if choice in ("auto", "any", "none"):
        return _CHOICES.get(choice, choice)
    return {"type": "function", "function": {"name": choice}}
