"""What the dialects share: the question and the reply, reading texts, the padding member."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Literal

import msgspec

from harness.simulator.answers import Answer, count_tokens
from harness.simulator.faults import validation
from harness.simulator.profiles import ModelName

ATTACHMENT_TOKENS = 1_500
"""What any block other than text (an image, a document) counts for."""
FRAMES_AROUND = 5
"""At most so many frames surround the content of a stream, each with a padding of its own."""
_PADDING = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks for."""

    prompt: str
    """The text of the last user message."""
    input_tokens: int
    max_tokens: int
    stop_sequences: tuple[str, ...]


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What one request is told. Latencies are as planned; `paddings` are for the frames around the content."""

    request_id: str
    model: ModelName
    input_tokens: int
    answer: Answer
    first_byte_ms: int
    latency_ms: int
    paddings: tuple[int, ...]


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """How one api is spoken."""

    read: Callable[[bytes, ModelName], Question]
    """Raises Refused (ValidationException) for a body that the service would not take."""
    body: Callable[[Reply], bytes]
    """The whole answer, not streamed."""
    body_headers: Callable[[Reply], dict[str, str]]
    opening: Callable[[Reply], bytes]
    """The frames before the first content chunk."""
    chunk: Callable[[str, int], bytes]
    """The frame of one content chunk, padded by so many characters."""
    ending: Callable[[Reply], bytes]
    """The frames after the last content chunk."""
    stream_headers: dict[str, str]


class Block(msgspec.Struct, frozen=True):
    """A content block; anything without `text` is an attachment."""

    text: str | None = None


class Message(msgspec.Struct, frozen=True):
    """One turn, in either dialect."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Block]


EVENT_STREAM = {"Content-Type": "application/vnd.amazon.eventstream", "Transfer-Encoding": "chunked"}


def draw_padding(rng: Random) -> int:
    """Length of a padding member, 1 to 62."""
    return 1 + int(rng.random() * len(_PADDING))


def padding(length: int) -> str:
    """The padding member `p`."""
    return _PADDING[:length]


def decode_body(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    """The body as the decoder's type. Raises Refused for one that is no JSON or has wrong types."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise validation(f"Malformed input request: {error}, please reformat your input and try again.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise validation("Malformed input request, please reformat your input and try again.") from error


def make_question(
    messages: Sequence[Message], *, system: str | list[Block], max_tokens: int, stop_sequences: tuple[str, ...]
) -> Question:
    """The question of a body whose messages are not blank. Raises Refused when no user speaks or no token is wanted."""
    if max_tokens < 1:
        raise validation("max_tokens: must be greater than or equal to 1")
    users = [message.content for message in messages if message.role == "user"]
    if not users:
        raise validation('messages: at least one message must use the "user" role')
    return Question(
        prompt=_text(users[-1]),
        input_tokens=_tokens(system) + sum(_tokens(message.content) for message in messages),
        max_tokens=max_tokens,
        stop_sequences=stop_sequences,
    )


def has_text(content: str | list[Block]) -> bool:
    """Some text, and no blank text."""
    if isinstance(content, str):
        return bool(content.strip())
    texts = [block.text for block in content if block.text is not None]
    return bool(texts) and all(text.strip() for text in texts)


def _text(content: str | list[Block]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(block.text for block in content if block.text is not None)


def _tokens(content: str | list[Block]) -> int:
    if isinstance(content, str):
        return count_tokens(content)
    return sum(ATTACHMENT_TOKENS if block.text is None else count_tokens(block.text) for block in content)
