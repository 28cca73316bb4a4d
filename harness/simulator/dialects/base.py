"""What the dialects share: the question, the reply, and how a body is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from zlib import crc32

import msgspec

from harness.endpoints.dialects.eventstream import encode_exception
from harness.simulator.faults import Fault, validation
from harness.simulator.model.answers import Answer, ContentBlock
from harness.simulator.model.attachments import Document
from harness.simulator.model.profiles import ModelName
from harness.simulator.model.prompt_cache import Segment, Usage
from harness.simulator.model.tool_calls import Toolbox

_PADDING = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
EVENT_STREAM = {"Content-Type": "application/vnd.amazon.eventstream", "Transfer-Encoding": "chunked"}


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks for."""

    prompt: str
    """The text of the last user message."""
    segments: tuple[Segment, ...]
    """The whole input, in the order in which a cache knows it."""
    max_tokens: int
    stop_sequences: tuple[str, ...] = ()
    toolbox: Toolbox = Toolbox()
    thinks: bool = False
    cited: tuple[Document | None, ...] = ()
    """The documents of the prompt that are to be cited, by their index among all of them."""
    sees: bool = True
    """Whether images and pages are looked at, and not only read."""
    latency: str | None = None
    service_tier: str | None = None
    metadata: dict[str, str] | None = None
    """For the invocation log."""
    counted: bool = True
    """Whether a stream says how many tokens it took."""

    @property
    def input_tokens(self) -> int:
        return sum(segment.tokens for segment in self.segments)


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What one request is told. Latencies are as planned, ms."""

    request_id: str
    model: ModelName
    question: Question
    usage: Usage
    answer: Answer
    first_byte_ms: int
    latency_ms: int


class Event(NamedTuple):
    """An event of a stream before it is framed: its type and its JSON."""

    name: str
    data: bytes


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """How one api is spoken. A stream is the opening, then start, deltas and stop of each passage, then the ending."""

    read: Callable[[bytes, Mapping[bytes, bytes], ModelName], Question]
    """Body and headers. Raises Refused (ValidationException) for what the service would not take."""
    body: Callable[[Reply], bytes]
    """The whole answer, not streamed."""
    headers: Callable[[Reply], dict[str, str]]
    """Of the whole answer."""
    opening: Callable[[Reply], Sequence[Event]]
    start: Callable[[ContentBlock, int], Sequence[Event]]
    delta: Callable[[str, int, str], Event]
    """The kind of passage, its index, and the text of one content chunk."""
    stop: Callable[[ContentBlock, int], Sequence[Event]]
    ending: Callable[[Reply], Sequence[Event]]
    frame: Callable[[Event], bytes]
    interruption: Callable[[Fault], bytes]
    """What is sent in place of the rest of a stream."""
    stream_headers: dict[str, str]
    logged: Callable[[Event], bytes]
    """The event as the invocation log has it, JSON."""
    refusal: Callable[[Fault, str], tuple[bytes, dict[str, str]]]
    """Body and headers that tell of a fault to the request of this id."""


def padding(data: bytes) -> str:
    """The padding member `p` of an event, 1 to 62 characters; always the same for the same event."""
    return _PADDING[: 1 + crc32(data) % len(_PADDING)]


def decode_body(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    """The body as the decoder's type. Raises Refused for one that is no JSON or has wrong types."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise validation(f"Malformed input request: {error}, please reformat your input and try again.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise validation("Malformed input request, please reformat your input and try again.") from error


def read_metadata(headers: Mapping[bytes, bytes]) -> dict[str, str] | None:
    """`X-Amzn-Bedrock-Request-Metadata`. None: not sent, or not what it should be."""
    try:
        return msgspec.json.decode(headers[b"x-amzn-bedrock-request-metadata"], type=dict[str, str])
    except (KeyError, msgspec.DecodeError):
        return None


def bedrock_interruption(fault: Fault) -> bytes:
    """A fault in mid-stream as bedrock-runtime tells it."""
    return encode_exception(fault.code, msgspec.json.encode({"message": fault.message}))


def bedrock_refusal(fault: Fault, _request_id: str) -> tuple[bytes, dict[str, str]]:
    """A fault as bedrock-runtime tells it."""
    error_type = f"{fault.code}:http://internal.amazon.com/coral/com.amazon.bedrock/"
    return msgspec.json.encode({"message": fault.message}), {"x-amzn-ErrorType": error_type}
