"""Turns a request into the script of its reply: finds the operation, refuses or answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import repeat
from urllib.parse import unquote_to_bytes
from uuid import uuid4

import msgspec

from harness.simulator.dialects import DIALECTS
from harness.simulator.dialects.base import Dialect, Reply
from harness.simulator.faults import (
    MODEL_ID_INVALID,
    MODEL_NOT_FOUND,
    UNAUTHENTICATED,
    UNKNOWN_OPERATION,
    Fault,
    Refused,
    validation,
)
from harness.simulator.http import LAST_CHUNK, MAX_BODY, HttpRequest, encode_chunk, encode_head
from harness.simulator.performance import Operation, Performance, Performer
from harness.simulator.profiles import ModelName, Profile, find_profile, read_model_id
from harness.simulator.pump import Script
from harness.simulator.truth import Served, Truth

OPERATIONS = {
    b"invoke": ("invoke", False),
    b"invoke-with-response-stream": ("invoke", True),
    b"converse": ("converse", False),
    b"converse-stream": ("converse", True),
}
"""Last part of the path → api, streamed or not."""
_ERROR_TYPE = "{}:http://internal.amazon.com/coral/com.amazon.bedrock/"


class Service:
    """Answers every request; `under_way` counts the replies being given."""

    def __init__(self, performer: Performer, truth: Truth, under_way: Callable[[], int]) -> None:
        self._performer = performer
        self._truth = truth
        self._under_way = under_way

    def respond(self, request: HttpRequest) -> Script:
        """The script of the reply; an error is a reply too."""
        path, _, query = request.target.partition(b"?")
        account = self._account_of(path, query)
        if account is not None and request.method == b"GET":
            head = _json_head(200, str(uuid4()), account, {})
            return Script([head + account], [request.received_ns])
        operation = find_operation(path)
        served = Served(
            request_id=str(uuid4()),
            model_id=operation.model_id if operation else "",
            api=operation.api if operation else "",
            stream=operation.stream if operation else False,
            status=200,
            received_ns=request.received_ns,
        )
        try:
            if operation is None or request.method != b"POST":
                raise Refused(UNKNOWN_OPERATION)
            return self._answer(request, operation, served)
        except Refused as refused:
            return _refuse(request, refused.fault, served)

    def _answer(self, request: HttpRequest, operation: Operation, served: Served) -> Script:
        if b"authorization" not in request.headers:
            raise Refused(UNAUTHENTICATED)
        if request.too_large:
            raise validation(f"Malformed input request: the body is longer than {MAX_BODY} bytes.")
        model, profile = _find_model(operation.model_id)
        dialect = DIALECTS[operation.api]
        question = dialect.read(request.body, model)
        performance = self._performer.perform(operation, question, model, profile)
        served.output_tokens = performance.answer.output_tokens
        reply = Reply(
            request_id=served.request_id,
            model=model,
            input_tokens=question.input_tokens,
            answer=performance.answer,
            first_byte_ms=performance.timing.first_ns // 1_000_000,
            latency_ms=performance.timing.end_ns // 1_000_000,
            paddings=performance.frame_paddings,
        )
        if operation.stream:
            return _stream(dialect, reply, performance, served)
        body = dialect.body(reply)
        head = _json_head(200, reply.request_id, body, dialect.body_headers(reply))
        return Script([head + body], [request.received_ns + performance.timing.end_ns], chunks=1, served=served)

    def _account_of(self, path: bytes, query: bytes) -> bytes | None:
        """The body of one of the simulator's own pages. None: no such page."""
        if path == b"/_simulator/health":
            return msgspec.json.encode({"status": "ok", "under_way": self._under_way()})
        if path != b"/_simulator/truth":
            return None
        body = self._truth.to_json()
        if query == b"reset":
            self._truth.clear()
        return body


def find_operation(path: bytes) -> Operation | None:
    """`/model/{modelId}/{operation}` taken apart, the id percent-decoded. None: no such operation.

    A raw `:` or `/` in the id (an ARN that was not encoded) is understood too.
    """
    prefix, _, rest = path.partition(b"/model/")
    encoded_id, _, name = rest.rpartition(b"/")
    if prefix or not encoded_id or name not in OPERATIONS:
        return None
    api, stream = OPERATIONS[name]
    return Operation(model_id=unquote_to_bytes(encoded_id).decode("utf-8", "replace"), api=api, stream=stream)


def _find_model(model_id: str) -> tuple[ModelName, Profile]:
    model = read_model_id(model_id)
    if model is None:
        raise Refused(MODEL_ID_INVALID)
    profile = find_profile(model)
    if profile is None:
        raise Refused(MODEL_NOT_FOUND)
    return model, profile


def _stream(dialect: Dialect, reply: Reply, performance: Performance, served: Served) -> Script:
    """Head, opening and first content chunk go out in one piece, the ending is the last."""
    timing = performance.timing
    head = encode_head(200, {"x-amzn-RequestId": reply.request_id} | dialect.stream_headers)
    pieces = list(map(_encode_content, repeat(dialect.chunk), performance.texts, performance.paddings))
    offsets_ns = timing.chunks_ns
    if not pieces:
        pieces, offsets_ns = [b""], (timing.end_ns,)
    pieces[0] = head + encode_chunk(dialect.opening(reply)) + pieces[0]
    pieces.append(encode_chunk(dialect.ending(reply)) + LAST_CHUNK)
    dues_ns = [served.received_ns + offset_ns for offset_ns in (*offsets_ns, timing.end_ns)]
    return Script(pieces, dues_ns, chunks=len(performance.texts), served=served)


@lru_cache(maxsize=8192)
def _encode_content(encode: Callable[[str, int], bytes], text: str, padding: int) -> bytes:
    return encode_chunk(encode(text, padding))


def _refuse(request: HttpRequest, fault: Fault, served: Served) -> Script:
    served.status = fault.status
    body = msgspec.json.encode({"message": fault.message})
    head = _json_head(fault.status, served.request_id, body, {"x-amzn-ErrorType": _ERROR_TYPE.format(fault.code)})
    return Script([head if request.method == b"HEAD" else head + body], [request.received_ns], served=served)


def _json_head(status: int, request_id: str, body: bytes, more: dict[str, str]) -> bytes:
    length = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    return encode_head(status, {"x-amzn-RequestId": request_id} | length | more)
