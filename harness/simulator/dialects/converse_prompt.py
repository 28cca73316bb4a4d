"""Reads the body of Converse."""

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
"""Without `maxTokens`: the model's own maximum."""
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
    """A content block: one of its members."""

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


class _More(msgspec.Struct, frozen=True):
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
    """The JSON of a request."""

    messages: list[_Turn]
    system: list[_Block] = []
    inference_config: _InferenceConfig = _InferenceConfig()
    tool_config: _ToolConfig = _ToolConfig()
    additional_model_request_fields: _More = _More()
    performance_config: _Performance = _Performance()
    service_tier: _Tier = _Tier()
    request_metadata: dict[str, str] | None = None


class _Seen(msgspec.Struct):
    """What of a prompt is neither words nor tools."""

    documents: list[Document] = []
    images: int = 0


_DECODER = msgspec.json.Decoder(ConverseBody)


def read_body(body: bytes) -> ConverseBody:
    """The body, its types and the order of turns checked. Raises Refused."""
    asked: ConverseBody = decode_body(_DECODER, body)
    if not asked.messages or asked.messages[0].role != "user":
        raise validation(
            "A conversation must start with a user message. Try again with a conversation that starts with a user "
            "message."
        )
    for at, turn in enumerate(asked.messages):
        _check_turn(turn, at)
    return asked


def read_question(body: bytes, _headers: Mapping[bytes, bytes], model: ModelName) -> Question:
    """What is asked. Raises Refused for what the service or the model does not take."""
    asked = read_body(body)
    config, more = asked.inference_config, asked.additional_model_request_fields
    if config.max_tokens < 1:
        raise validation("inferenceConfig.maxTokens: must be greater than or equal to 1")
    sampling = {"temperature": config.temperature, "topP": config.top_p, "top_k": more.top_k}
    check_sampling(model, {**sampling, "top_p": more.top_p, "additional temperature": more.temperature})
    segments, seen = read_input(asked)
    check_pages(model, sum(document.pages for document in seen.documents))
    check_window(model, sum(segment.tokens for segment in segments), more.anthropic_beta)
    users = [turn.content for turn in asked.messages if turn.role == "user"]
    return Question(
        prompt="\n".join(block.text for block in users[-1] if block.text is not None),
        segments=segments,
        max_tokens=config.max_tokens,
        stop_sequences=config.stop_sequences,
        toolbox=_toolbox(asked.tool_config),
        thinks=check_thinking(model, more.thinking, config.max_tokens),
        cited=tuple(document if document.cited else None for document in seen.documents),
        sees=bool(seen.images) or any(document.cited for document in seen.documents),
        latency=asked.performance_config.latency,
        service_tier=asked.service_tier.type,
        metadata=asked.request_metadata,
    )


def read_input(asked: ConverseBody) -> tuple[tuple[Segment, ...], _Seen]:
    """Everything that counts as input, and what is attached to it. Raises Refused for attachments out of bounds."""
    seen = _Seen()
    segments: list[Segment] = []
    for tool in asked.tool_config.tools:
        if tool.tool_spec is not None:
            spec = tool.tool_spec
            text = spec.name + spec.description + msgspec.json.encode(spec.input_schema.json).decode()
            segments.append(Segment(tokens=count_tokens(text), content=spec))
        _mark(segments, tool.cache_point)
    for where, turn in _turns(asked):
        for at, block in enumerate(turn.content):
            if block.cache_point is None:
                tokens = _block_tokens(block, f"{where}.{at}", seen)
                segments.append(Segment(tokens=tokens, content=(turn.role, block)))
            _mark(segments, block.cache_point)
    _check_attachments(seen)
    return tuple(segments), seen


def _turns(asked: ConverseBody) -> Iterator[tuple[str, _Turn]]:
    yield "system", _Turn(role="system", content=asked.system)
    for at, turn in enumerate(asked.messages):
        yield f"messages.{at}.content", turn


def _mark(segments: list[Segment], point: _CachePoint | None) -> None:
    """A cache point belongs to what goes before it."""
    if point is not None and segments:
        segments[-1] = msgspec.structs.replace(segments[-1], ttl=point.ttl)


def _block_tokens(block: _Block, where: str, seen: _Seen) -> int:
    if block.image is not None:
        seen.images += 1
        size = len(block.image.source.bytes or "") * 3 // 4
        if size > MAX_IMAGE_BYTES:
            raise validation(f"{where}: The image exceeds the maximum size of 3.75 MB.")
        return IMAGE_TOKENS
    if block.document is not None:
        document = _read_document(block.document, f"{where}.document")
        seen.documents.append(document)
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


def _check_attachments(seen: _Seen) -> None:
    if len(seen.documents) > MAX_DOCUMENTS:
        raise validation(f"The request holds more than the maximum of {MAX_DOCUMENTS} documents.")
    if any(document.size > MAX_DOCUMENT_BYTES for document in seen.documents):
        raise validation("The document exceeds the maximum size of 4.5 MB.")
    if seen.images > MAX_IMAGES:
        raise validation(f"The request holds more than the maximum of {MAX_IMAGES} images.")
    check_citations([document.cited for document in seen.documents])


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
