"""Finds the operation and the model of a request, and counts tokens for the operations that do."""

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
"""Last part of the path → api, whether streamed."""
MESSAGES_PATH = b"/anthropic/v1/messages"
"""The Messages API, on bedrock-mantle and on bedrock-runtime."""
OPENAI_PATHS = (b"/openai/v1/chat/completions", b"/v1/chat/completions")
"""Chat completions: on bedrock-runtime, and as served by other OpenAI-compatible servers."""


class _ModelAndStream(msgspec.Struct, frozen=True):
    """The model and stream flag in a body, for paths without them."""

    model: str = ""
    stream: bool = False


def find_operation(request: HttpRequest) -> Operation | None:
    """The operation, from `/model/{modelId}/{operation}` or from the body. None if there is no such path.

    The id is percent-decoded; a raw `:` or `/` in it (an unencoded ARN) works too.
    """
    path = _path(request)
    if path == MESSAGES_PATH or path in OPENAI_PATHS:
        body_fields = _read_model(request.body)
        api = "messages" if path == MESSAGES_PATH else "openai"
        return Operation(model_id=body_fields.model, api=api, stream=body_fields.stream)
    model_id, name = _split(path)
    if not model_id or name not in OPERATIONS:
        return None
    api, stream = OPERATIONS[name]
    return Operation(model_id=unquote_to_bytes(model_id).decode("utf-8", "replace"), api=api, stream=stream)


def count_path(request: HttpRequest) -> Literal["bedrock", "messages"] | None:
    """The format of a request to count tokens. None if it is another request."""
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
    """Model id, still encoded, and operation; both empty for any other path."""
    prefix, _, rest = path.partition(b"/model/")
    model_id, _, name = rest.rpartition(b"/")
    return (b"", b"") if prefix else (model_id, name)


def _read_model(body: bytes) -> _ModelAndStream:
    """Empty for a malformed body, which is rejected later."""
    try:
        return msgspec.json.decode(body, type=_ModelAndStream)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _ModelAndStream()


class _InvokeModel(msgspec.Struct, frozen=True):
    body: str


class _CountInput(msgspec.Struct, frozen=True, rename="camel"):
    invoke_model: _InvokeModel | None = None
    converse: msgspec.Raw = msgspec.Raw(b"")


class _CountRequest(msgspec.Struct, frozen=True):
    input: _CountInput


_DECODER = msgspec.json.Decoder(_CountRequest)


def count_bedrock(body: bytes) -> int:
    """Input tokens of a CountTokens request: an InvokeModel body in base64, or a Converse body. Raises ServiceError."""
    given: _CountInput = decode_body(_DECODER, body).input
    if given.invoke_model is not None:
        return count_messages(decode_base64(given.invoke_model.body, "input.invokeModel.body"))
    if not bytes(given.converse):
        raise validation("input: one of invokeModel and converse is required")
    segments, _ = converse_prompt.read_input(converse_prompt.read_body(bytes(given.converse)))
    return sum(segment.tokens for segment in segments)


def count_messages(body: bytes) -> int:
    """Input tokens of a body of the Messages API. Raises ServiceError."""
    segments, _ = messages_prompt.read_input(messages_prompt.read_body(body))
    return sum(segment.tokens for segment in segments)
