"""What the dialects share: questions, replies, and helpers to read a body."""

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
    """A parsed request."""

    prompt: str
    """The text of the last user message."""
    segments: tuple[Segment, ...]
    """The whole input, in the order of the prompt cache."""
    max_tokens: int
    stop_sequences: tuple[str, ...] = ()
    toolbox: Toolbox = Toolbox()
    thinks: bool = False
    cited: tuple[Document | None, ...] = ()
    """The documents of the prompt by index; None for one without citations."""
    sees: bool = True
    """Whether the model sees images and pages, not only extracted text."""
    latency: str | None = None
    service_tier: str | None = None
    metadata: dict[str, str] | None = None
    """For the invocation log."""
    counted: bool = True
    """Whether a stream ends with the token usage."""

    @property
    def input_tokens(self) -> int:
        return sum(segment.tokens for segment in self.segments)


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The reply to one request. Latencies are the scheduled ones, in ms."""

    request_id: str
    model: ModelName
    question: Question
    usage: Usage
    answer: Answer
    first_byte_ms: int
    latency_ms: int


class Event(NamedTuple):
    """A stream event before framing: its type and its JSON."""

    name: str
    data: bytes


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """How one api is spoken. A stream is the opening; start, deltas and stop of each content block; the ending."""

    read: Callable[[bytes, Mapping[bytes, bytes], ModelName], Question]
    """Parse body and headers. Raises ServiceError (ValidationException) for what the service would reject."""
    body: Callable[[Reply], bytes]
    """Body of an answer that is not streamed."""
    headers: Callable[[Reply], dict[str, str]]
    """Headers of an answer that is not streamed."""
    opening: Callable[[Reply], Sequence[Event]]
    start: Callable[[ContentBlock, int], Sequence[Event]]
    delta: Callable[[str, int, str], Event]
    """The block's kind, its index, and the text of one content chunk."""
    stop: Callable[[ContentBlock, int], Sequence[Event]]
    ending: Callable[[Reply], Sequence[Event]]
    frame: Callable[[Event], bytes]
    interruption: Callable[[Fault], bytes]
    """Sent instead of the rest of an interrupted stream."""
    stream_headers: dict[str, str]
    logged: Callable[[Event], bytes]
    """The event as JSON for the invocation log."""
    error_response: Callable[[Fault, str], tuple[bytes, dict[str, str]]]
    """Body and headers of an error response, from the fault and the request id."""


def padding(data: bytes) -> str:
    """The padding `p` of an event, 1 to 62 characters, determined by the event."""
    return _PADDING[: 1 + crc32(data) % len(_PADDING)]


def decode_body(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    """The body as the decoder's type. Raises ServiceError for invalid JSON and wrong types."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise validation(f"Malformed input request: {error}, please reformat your input and try again.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise validation("Malformed input request, please reformat your input and try again.") from error


def read_metadata(headers: Mapping[bytes, bytes]) -> dict[str, str] | None:
    """The header `X-Amzn-Bedrock-Request-Metadata`. None if it is missing or malformed."""
    try:
        return msgspec.json.decode(headers[b"x-amzn-bedrock-request-metadata"], type=dict[str, str])
    except (KeyError, msgspec.DecodeError):
        return None


def bedrock_interruption(fault: Fault) -> bytes:
    """A fault in mid-stream, as bedrock-runtime sends it."""
    return encode_exception(fault.code, msgspec.json.encode({"message": fault.message}))


def bedrock_error(fault: Fault, _request_id: str) -> tuple[bytes, dict[str, str]]:
    """Body and headers of an error response of bedrock-runtime."""
    error_type = f"{fault.code}:http://internal.amazon.com/coral/com.amazon.bedrock/"
    return msgspec.json.encode({"message": fault.message}), {"x-amzn-ErrorType": error_type}
