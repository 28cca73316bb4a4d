"""Which operation a path names, and of which model; and the answer of those that count tokens."""

from __future__ import annotations

from typing import Literal
from urllib.parse import unquote_to_bytes

import msgspec

from harness.simulator.dialects import converse_prompt, messages_prompt
from harness.simulator.dialects.base import decode_body
from harness.simulator.faults import validation
from harness.simulator.http.connection import HttpRequest
from harness.simulator.model.attachments import decode_base64
from harness.simulator.performance import Operation

OPERATIONS = {
    b"invoke": ("invoke", False),
    b"invoke-with-response-stream": ("invoke", True),
    b"converse": ("converse", False),
    b"converse-stream": ("converse", True),
}
"""Last part of the path → api, streamed or not."""
MESSAGES_PATH = b"/anthropic/v1/messages"
"""Of the Messages API, on bedrock-mantle and on bedrock-runtime."""
OPENAI_PATHS = (b"/openai/v1/chat/completions", b"/v1/chat/completions")
"""Of chat completions: on bedrock-runtime, and where clients of other servers ask below an address."""


class _Named(msgspec.Struct, frozen=True):
    """What a body says of the operation, where the path does not."""

    model: str = ""
    stream: bool = False


def find_operation(request: HttpRequest) -> Operation | None:
    """`/model/{modelId}/{operation}` taken apart, the id percent-decoded, or what the body says. None: no such path.

    A raw `:` or `/` in the id (an ARN that was not encoded) is understood too.
    """
    path = _path(request)
    if path == MESSAGES_PATH or path in OPENAI_PATHS:
        named = _read_named(request.body)
        api = "messages" if path == MESSAGES_PATH else "openai"
        return Operation(model_id=named.model, api=api, stream=named.stream)
    model_id, name = _split(path)
    if not model_id or name not in OPERATIONS:
        return None
    api, stream = OPERATIONS[name]
    return Operation(model_id=unquote_to_bytes(model_id).decode("utf-8", "replace"), api=api, stream=stream)


def count_path(request: HttpRequest) -> Literal["bedrock", "messages"] | None:
    """Whether tokens are to be counted, and in whose words."""
    path = _path(request)
    if request.method != b"POST":
        return None
    if path == MESSAGES_PATH + b"/count_tokens":
        return "messages"
    model_id, name = _split(path)
    return "bedrock" if model_id and name == b"count-tokens" else None


def _path(request: HttpRequest) -> bytes:
    return request.target.partition(b"?")[0]


def _split(path: bytes) -> tuple[bytes, bytes]:
    """Model id, still encoded, and operation; both empty for a path of another kind."""
    prefix, _, rest = path.partition(b"/model/")
    model_id, _, name = rest.rpartition(b"/")
    return (b"", b"") if prefix else (model_id, name)


def _read_named(body: bytes) -> _Named:
    """What cannot be read is refused later, with the rest of the body."""
    try:
        return msgspec.json.decode(body, type=_Named)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Named()


class _InvokeModel(msgspec.Struct, frozen=True):
    body: str


class _Given(msgspec.Struct, frozen=True, rename="camel"):
    invoke_model: _InvokeModel | None = None
    converse: msgspec.Raw = msgspec.Raw(b"")


class _Asked(msgspec.Struct, frozen=True):
    input: _Given


_DECODER = msgspec.json.Decoder(_Asked)


def count_bedrock(body: bytes) -> int:
    """Of a CountTokens request: exactly one of an InvokeModel body, in base64, and a Converse body. Raises Refused."""
    given: _Given = decode_body(_DECODER, body).input
    if given.invoke_model is not None:
        return count_messages(decode_base64(given.invoke_model.body, "input.invokeModel.body"))
    if not bytes(given.converse):
        raise validation("input: one of invokeModel and converse is required")
    segments, _ = converse_prompt.read_input(converse_prompt.read_body(bytes(given.converse)))
    return sum(segment.tokens for segment in segments)


def count_messages(body: bytes) -> int:
    """Of a body of the Messages API. Raises Refused."""
    segments, _ = messages_prompt.read_input(messages_prompt.read_body(body))
    return sum(segment.tokens for segment in segments)
