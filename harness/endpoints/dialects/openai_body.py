"""Request bodies of chat completions: the system prompt as a first message, tools as functions, files as data URLs."""

from __future__ import annotations

from typing import Any

from harness.catalog.target import Options, Tool
from harness.endpoints.dialects.attachments import PDF, name_documents, read_base64, read_text
from harness.suite.suite import Attachment, Prompt

Block = dict[str, Any]

_CHOICES = {"any": "required"}


def build_body(prompt: Prompt, options: Options) -> dict[str, Any]:
    """The JSON body, without `model` and `stream`; what an option leaves open is not sent.

    `max_tokens` is the older name of the limit, and the one that every server knows. Raises EndpointError at an
    attachment that cannot be read.
    """
    given = {
        "messages": _build_messages(prompt, options),
        "max_tokens": options.max_tokens,
        "temperature": options.temperature,
        "top_p": options.top_p,
        "stop": options.stop_sequences,
        "tools": [_build_tool(tool) for tool in options.tools] if options.tools else None,
        "tool_choice": _build_tool_choice(options.tool_choice),
    }
    return {name: value for name, value in given.items() if value is not None}


def build_headers(options: Options) -> dict[str, str]:
    """None: everything is in the body."""
    return {}


def _build_messages(prompt: Prompt, options: Options) -> list[Block]:
    """The conversation, the prompt's documents and images before the text of its last user turn."""
    turns: list[Block] = [{"role": message.role, "content": message.content} for message in prompt.messages]
    names = name_documents(prompt.documents)
    attached = [_build_document(*each) for each in zip(prompt.documents, names, strict=True)]
    attached += map(_build_image, prompt.images)
    if attached:
        turn = next(turn for turn in reversed(turns) if turn["role"] == "user")
        turn["content"] = [*attached, {"type": "text", "text": turn["content"]}]
    return [{"role": "system", "content": options.system}, *turns] if options.system is not None else turns


def _build_document(document: Attachment, name: str) -> Block:
    """A PDF as a file; a text under its name, since the dialect has no place for text documents."""
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
