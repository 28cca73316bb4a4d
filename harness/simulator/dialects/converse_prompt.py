"""Parses the body of a Converse request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from harness.simulator.dialects.base import Question, decode_body
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

DEFAULT_MAX_TOKENS = 64_000
"""The model's maximum, used if `maxTokens` is missing."""
MAX_DOCUMENTS, MAX_DOCUMENT_BYTES = 5, 4_500_000
MAX_IMAGES, MAX_IMAGE_BYTES = 20, 3_750_000
_NAME = re.compile(r"(?!.*\s\s)[A-Za-z0-9 ()\[\]-]{1,200}")


class _CachePoint(msgspec.Struct, frozen=True):
    type: Literal["default"]
    ttl: Literal["5m", "1h"] = "5m"


class _Source(msgspec.Struct, frozen=True):
    bytes: str | None = None
    text: str | None = None
    content: msgspec.Raw = msgspec.Raw(b"")


class _Enabled(msgspec.Struct, frozen=True):
    enabled: bool = False


class _Document(msgspec.Struct, frozen=True):
    name: str
    source: _Source
    format: str = "txt"
    context: str | None = None
    citations: _Enabled | None = None


class _Image(msgspec.Struct, frozen=True):
    format: str
    source: _Source


class _Block(msgspec.Struct, frozen=True, rename="camel"):
    """A content block: exactly one member is set."""

    text: str | None = None
    image: _Image | None = None
    document: _Document | None = None
    cache_point: _CachePoint | None = None
    tool_use: msgspec.Raw = msgspec.Raw(b"")
    tool_result: msgspec.Raw = msgspec.Raw(b"")
    reasoning_content: msgspec.Raw = msgspec.Raw(b"")
    citations_content: msgspec.Raw = msgspec.Raw(b"")


class _Turn(msgspec.Struct, frozen=True):
    role: Literal["user", "assistant", "system"]
    content: list[_Block]


class _InferenceConfig(msgspec.Struct, frozen=True, rename="camel"):
    max_tokens: int = DEFAULT_MAX_TOKENS
    stop_sequences: tuple[str, ...] = ()
    temperature: float | None = None
    top_p: float | None = None


class _Schema(msgspec.Struct, frozen=True):
    json: dict[str, Any] = {}


class _ToolSpec(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    description: str = ""
    input_schema: _Schema = _Schema()


class _Tool(msgspec.Struct, frozen=True, rename="camel"):
    tool_spec: _ToolSpec | None = None
    cache_point: _CachePoint | None = None


class _Named(msgspec.Struct, frozen=True):
    name: str


class _ToolChoice(msgspec.Struct, frozen=True):
    any: dict[str, Any] | None = None
    tool: _Named | None = None


class _ToolConfig(msgspec.Struct, frozen=True, rename="camel"):
    tools: list[_Tool] = []
    tool_choice: _ToolChoice = _ToolChoice()


class _ModelFields(msgspec.Struct, frozen=True):
    anthropic_beta: list[str] = []
    thinking: dict[str, Any] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None


class _Performance(msgspec.Struct, frozen=True):
    latency: Literal["standard", "optimized"] | None = None


class _Tier(msgspec.Struct, frozen=True):
    type: Literal["priority", "default", "flex", "reserved"] | None = None


class ConverseBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of a Converse request."""

    messages: list[_Turn]
    system: list[_Block] = []
    inference_config: _InferenceConfig = _InferenceConfig()
    tool_config: _ToolConfig = _ToolConfig()
    additional_model_request_fields: _ModelFields = _ModelFields()
    performance_config: _Performance = _Performance()
    service_tier: _Tier = _Tier()
    request_metadata: dict[str, str] | None = None


class _Attachments(msgspec.Struct):
    """The attachments of a prompt, collected while it is read."""

    documents: list[Document] = []
    images: int = 0


_DECODER = msgspec.json.Decoder(ConverseBody)


def read_body(body: bytes) -> ConverseBody:
    """Decode the body and check the order of turns. Raises ServiceError."""
    request: ConverseBody = decode_body(_DECODER, body)
    if not request.messages or request.messages[0].role != "user":
        raise validation(
            "A conversation must start with a user message. Try again with a conversation that starts with a user "
            "message."
        )
    for at, turn in enumerate(request.messages):
        _check_turn(turn, at)
    return request


def read_question(body: bytes, _headers: Mapping[bytes, bytes], model: ModelName) -> Question:
    """Parse a request. Raises ServiceError for what the service or the model rejects."""
    request = read_body(body)
    config, more = request.inference_config, request.additional_model_request_fields
    if config.max_tokens < 1:
        raise validation("inferenceConfig.maxTokens: must be greater than or equal to 1")
    sampling = {"temperature": config.temperature, "topP": config.top_p, "top_k": more.top_k}
    check_sampling(model, {**sampling, "top_p": more.top_p, "additional temperature": more.temperature})
    segments, attached = read_input(request)
    check_pages(model, sum(document.pages for document in attached.documents))
    check_window(model, sum(segment.tokens for segment in segments), more.anthropic_beta)
    users = [turn.content for turn in request.messages if turn.role == "user"]
    return Question(
        prompt="\n".join(block.text for block in users[-1] if block.text is not None),
        segments=segments,
        max_tokens=config.max_tokens,
        stop_sequences=config.stop_sequences,
        toolbox=_toolbox(request.tool_config),
        thinks=check_thinking(model, more.thinking, config.max_tokens),
        cited=tuple(document if document.cited else None for document in attached.documents),
        sees=bool(attached.images) or any(document.cited for document in attached.documents),
        latency=request.performance_config.latency,
        service_tier=request.service_tier.type,
        metadata=request.request_metadata,
    )


def read_input(request: ConverseBody) -> tuple[tuple[Segment, ...], _Attachments]:
    """All input segments, and the attachments. Raises ServiceError for too many or too large attachments."""
    attached = _Attachments()
    segments: list[Segment] = []
    for tool in request.tool_config.tools:
        if tool.tool_spec is not None:
            spec = tool.tool_spec
            text = spec.name + spec.description + msgspec.json.encode(spec.input_schema.json).decode()
            segments.append(Segment(tokens=count_tokens(text), content=spec))
        _mark(segments, tool.cache_point)
    for where, turn in _turns(request):
        for at, block in enumerate(turn.content):
            if block.cache_point is None:
                tokens = _block_tokens(block, f"{where}.{at}", attached)
                segments.append(Segment(tokens=tokens, content=(turn.role, block)))
            _mark(segments, block.cache_point)
    _check_attachments(attached)
    return tuple(segments), attached


def _turns(request: ConverseBody) -> Iterator[tuple[str, _Turn]]:
    yield "system", _Turn(role="system", content=request.system)
    for at, turn in enumerate(request.messages):
        yield f"messages.{at}.content", turn


def _mark(segments: list[Segment], point: _CachePoint | None) -> None:
    """Apply a cache point to the segment before it."""
    if point is not None and segments:
        segments[-1] = msgspec.structs.replace(segments[-1], ttl=point.ttl)


def _block_tokens(block: _Block, where: str, attached: _Attachments) -> int:
    if block.image is not None:
        attached.images += 1
        size = len(block.image.source.bytes or "") * 3 // 4
        if size > MAX_IMAGE_BYTES:
            raise validation(f"{where}: The image exceeds the maximum size of 3.75 MB.")
        return IMAGE_TOKENS
    if block.document is not None:
        document = _read_document(block.document, f"{where}.document")
        attached.documents.append(document)
        return document.tokens(visual=document.cited) + count_tokens(block.document.context or "")
    others = (block.tool_use, block.tool_result, block.reasoning_content, block.citations_content)
    return count_tokens((block.text or "") + "".join(bytes(raw).decode("utf-8", "replace") for raw in others))


def _read_document(given: _Document, where: str) -> Document:
    if not _NAME.fullmatch(given.name):
        raise validation(
            f"{where}.name: The file name can only contain alphanumeric characters, single whitespace characters, "
            "hyphens, parentheses, and square brackets."
        )
    cited = given.citations is not None and given.citations.enabled
    source = given.source
    if source.bytes is None:
        text = source.text if source.text is not None else bytes(source.content).decode("utf-8", "replace")
        return Document(title=given.name, text=text, cited=cited)
    content = decode_base64(source.bytes, where)
    return read_document(content, pdf=given.format == "pdf", title=given.name, cited=cited, where=where)


def _check_turn(turn: _Turn, at: int) -> None:
    if not turn.content:
        raise validation(
            f"The content field in the Message object at messages.{at} is empty. Add a ContentBlock object to the "
            "content field and try again."
        )
    texts = [block.text for block in turn.content if block.text is not None]
    if not all(text.strip() for text in texts):
        raise validation(
            f"The text field in the ContentBlock object at messages.{at}.content.0 is blank. Add text to the text "
            "field, and try again."
        )
    if not texts and any(block.document for block in turn.content):
        raise validation(f"messages.{at}: A text block must accompany a document. Add a text block and try again.")


def _check_attachments(attached: _Attachments) -> None:
    if len(attached.documents) > MAX_DOCUMENTS:
        raise validation(f"The request holds more than the maximum of {MAX_DOCUMENTS} documents.")
    if any(document.size > MAX_DOCUMENT_BYTES for document in attached.documents):
        raise validation("The document exceeds the maximum size of 4.5 MB.")
    if attached.images > MAX_IMAGES:
        raise validation(f"The request holds more than the maximum of {MAX_IMAGES} images.")
    check_citations([document.cited for document in attached.documents])


def _toolbox(config: _ToolConfig) -> Toolbox:
    tools = tuple(
        Tool(name=tool.tool_spec.name, schema=tool.tool_spec.input_schema.json)
        for tool in config.tools
        if tool.tool_spec is not None
    )
    choice = config.tool_choice
    if choice.tool is None:
        return Toolbox(tools=tools, choice="auto" if choice.any is None else "any")
    if choice.tool.name not in {tool.name for tool in tools}:
        raise validation(f"toolConfig.toolChoice.tool: there is no tool named {choice.tool.name!r}")
    return Toolbox(tools=tools, choice="tool", name=choice.tool.name)
