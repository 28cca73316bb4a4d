"""CountTokens, and its sibling of the Messages API: what a request would count as input."""

from __future__ import annotations

import msgspec

from harness.simulator.dialects import converse_prompt, messages_prompt
from harness.simulator.dialects.base import decode_body
from harness.simulator.faults import validation
from harness.simulator.model.attachments import decode_base64


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
