"""Parses the body of the Messages API, for every api that uses it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from harness.simulator.dialects.base import Question, decode_body, read_metadata
from harness.simulator.faults import validation
from harness.simulator.model.answers import count_tokens
from harness.simulator.model.attachments import IMAGE_TOKENS, Document, decode_base64, read_document
from harness.simulator.model.limits import (
    check_citations,
    check_pages,
    check_sampling,
    check_thinking,
    check_window,
)
from harness.simulator.model.profiles import ModelName
from harness.simulator.model.prompt_cache import Segment
from harness.simulator.model.tool_calls import Tool, Toolbox


class _CacheControl(msgspec.Struct, frozen=True):
    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] = "5m"


class _Source(msgspec.Struct, frozen=True):
    type: str
    media_type: str = ""
    data: str = ""
    content: msgspec.Raw = msgspec.Raw(b"")


class _Enabled(msgspec.Struct, frozen=True):
    enabled: bool = False


class _Block(msgspec.Struct, frozen=True):
    type: str = "text"
    text: str | None = None
    source: _Source | None = None
    title: str | None = None
    context: str | None = None
    citations: _Enabled | list[Any] | None = None
    cache_control: _CacheControl | None = None
    thinking: str = ""
    input: msgspec.Raw = msgspec.Raw(b"")
    content: msgspec.Raw = msgspec.Raw(b"")


class _Message(msgspec.Struct, frozen=True):
    role: Literal["user", "assistant", "system"]
    content: str | list[_Block]


class _Tool(msgspec.Struct, frozen=True):
    name: str
    description: str = ""
    input_schema: dict[str, Any] = {}
    cache_control: _CacheControl | None = None


class _ToolChoice(msgspec.Struct, frozen=True):
    type: Literal["auto", "any", "none", "tool"]
    name: str | None = None


class MessagesBody(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a request."""

    messages: list[_Message]
    max_tokens: int | None = None
    anthropic_version: str | None = None
    anthropic_beta: list[str] = []
    system: str | list[_Block] = ""
    stop_sequences: tuple[str, ...] = ()
    tools: list[_Tool] = []
    tool_choice: _ToolChoice | None = None
    thinking: dict[str, Any] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    service_tier: str | None = None


_DECODER = msgspec.json.Decoder(MessagesBody)


def read_body(body: bytes) -> MessagesBody:
    """Decode the body. Raises ServiceError."""
    request: MessagesBody = decode_body(_DECODER, body)
    return request


def read_question(request: MessagesBody, headers: Mapping[bytes, bytes], model: ModelName) -> Question:
    """Parse a request. Raises ServiceError for what the model rejects."""
    if request.max_tokens is None:
        raise validation("max_tokens: Field required")
    if request.max_tokens < 1:
        raise validation("max_tokens: must be greater than or equal to 1")
    check_sampling(model, {"temperature": request.temperature, "top_p": request.top_p, "top_k": request.top_k})
    segments, documents = read_input(request)
    check_pages(model, sum(document.pages for document in documents))
    betas = {
        *request.anthropic_beta,
        *headers.get(b"anthropic-beta", b"").decode("latin-1").replace(" ", "").split(","),
    }
    check_window(model, sum(segment.tokens for segment in segments), betas)
    users = [message.content for message in request.messages if message.role == "user"]
    if not users:
        raise validation('messages: at least one message must use the "user" role')
    return Question(
        prompt=_text(users[-1]),
        segments=segments,
        max_tokens=request.max_tokens,
        stop_sequences=request.stop_sequences,
        toolbox=_toolbox(request),
        thinks=check_thinking(model, request.thinking, request.max_tokens),
        cited=tuple(document if document.cited else None for document in documents),
        latency=_header(headers, b"x-amzn-bedrock-performanceconfig-latency"),
        service_tier=_header(headers, b"x-amzn-bedrock-service-tier") or request.service_tier,
        metadata=read_metadata(headers),
    )


def read_input(request: MessagesBody) -> tuple[tuple[Segment, ...], tuple[Document, ...]]:
    """All input segments, and the documents among them. Raises ServiceError for blank or unreadable parts."""
    if not request.messages:
        raise validation("messages: at least one message is required")
    documents: list[Document] = []
    segments = [
        Segment(
            tokens=count_tokens(_json(tool)), content=(tool.name, tool.description, tool.input_schema), ttl=_ttl(tool)
        )
        for tool in request.tools
    ]
    segments += _segments("system", request.system, "system", documents)
    for at, message in enumerate(request.messages):
        if not _has_content(message.content):
            raise validation(f"messages.{at}: text content blocks must be non-empty")
        segments += _segments(message.role, message.content, f"messages.{at}.content", documents)
    check_citations([document.cited for document in documents])
    return tuple(segments), tuple(documents)


def _segments(role: str, content: str | list[_Block], where: str, documents: list[Document]) -> Iterator[Segment]:
    if isinstance(content, str):
        if content:
            yield Segment(tokens=count_tokens(content), content=(role, content))
        return
    for at, block in enumerate(content):
        yield Segment(
            tokens=_block_tokens(block, f"{where}.{at}", documents),
            content=(
                role,
                block.type,
                block.text,
                block.source,
                block.title,
                block.context,
                block.input,
                block.content,
            ),
            ttl=_ttl(block),
        )


def _block_tokens(block: _Block, where: str, documents: list[Document]) -> int:
    if block.type == "image":
        return IMAGE_TOKENS
    if block.type == "document":
        document = _document(block, f"{where}.document")
        documents.append(document)
        return document.tokens(visual=True) + count_tokens(block.context or "")
    texts = (block.text or "", block.thinking, _decoded(block.input), _decoded(block.content))
    return count_tokens("".join(texts))


def _document(block: _Block, where: str) -> Document:
    source = block.source or _Source(type="text")
    cited = isinstance(block.citations, _Enabled) and block.citations.enabled
    if source.type != "base64":
        return Document(title=block.title, text=source.data or _decoded(source.content), cited=cited)
    content = decode_base64(source.data, f"{where}.source.base64")
    pdf = source.media_type == "application/pdf"
    return read_document(content, pdf=pdf, title=block.title, cited=cited, where=f"{where}.source.base64")


def _toolbox(request: MessagesBody) -> Toolbox:
    choice = request.tool_choice or _ToolChoice(type="auto")
    tools = tuple(Tool(name=tool.name, schema=tool.input_schema) for tool in request.tools)
    if choice.type == "tool" and choice.name not in {tool.name for tool in tools}:
        raise validation(f"tool_choice.tool: there is no tool named {choice.name!r}")
    return Toolbox(tools=tools, choice=choice.type, name=choice.name)


def _has_content(content: str | list[_Block]) -> bool:
    if isinstance(content, str):
        return bool(content.strip())
    return bool(content) and all(block.text.strip() for block in content if block.text is not None)


def _text(content: str | list[_Block]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(block.text for block in content if block.text is not None)


def _ttl(part: _Block | _Tool) -> str | None:
    return part.cache_control.ttl if part.cache_control else None


def _json(tool: _Tool) -> str:
    return tool.name + tool.description + msgspec.json.encode(tool.input_schema).decode()


def _decoded(raw: msgspec.Raw) -> str:
    return bytes(raw).decode("utf-8", "replace")


def _header(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    return headers[name].decode("latin-1") if name in headers else None
