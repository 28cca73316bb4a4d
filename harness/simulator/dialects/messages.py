"""The Messages API as Anthropic speaks it: the model in the body, a stream of server-sent events."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from harness.simulator.dialects import messages_answer as answers
from harness.simulator.dialects.base import Dialect, Event, Question, Reply
from harness.simulator.dialects.messages_prompt import read_body, read_question
from harness.simulator.faults import Fault
from harness.simulator.model.answers import ContentBlock
from harness.simulator.model.profiles import ModelName

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}
_PING = Event("ping", b'{"type":"ping"}')


def _read(body: bytes, headers: Mapping[bytes, bytes], model: ModelName) -> Question:
    return read_question(read_body(body), headers, model)


def _body(reply: Reply) -> bytes:
    return msgspec.json.encode(answers.whole_message(reply))


def _headers(reply: Reply) -> dict[str, str]:
    return {"request-id": reply.request_id}


def _opening(reply: Reply) -> tuple[Event, ...]:
    return (answers.message_start(reply),)


def _start(passage: ContentBlock, index: int) -> tuple[Event, ...]:
    return (*answers.block_start(passage, index), *([_PING] if index == 0 else []))


def _ending(reply: Reply) -> tuple[Event, ...]:
    return answers.message_delta(reply), Event("message_stop", b'{"type":"message_stop"}')


def _frame(event: Event) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event.name.encode(), event.data)


def _interruption(fault: Fault) -> bytes:
    return _frame(Event("error", msgspec.json.encode({"type": "error", "error": _error(fault)})))


def _error(fault: Fault) -> dict[str, str]:
    return {"type": ERROR_TYPES.get(fault.status, "api_error"), "message": fault.message}


def _refusal(fault: Fault, request_id: str) -> tuple[bytes, dict[str, str]]:
    error = _error(fault)
    return msgspec.json.encode({"type": "error", "error": error, "request_id": request_id}), {"request-id": request_id}


MESSAGES = Dialect(
    read=_read,
    body=_body,
    headers=_headers,
    opening=_opening,
    start=_start,
    delta=answers.block_delta,
    stop=answers.block_stop,
    ending=_ending,
    frame=_frame,
    interruption=_interruption,
    stream_headers={"Content-Type": "text/event-stream; charset=utf-8", "Transfer-Encoding": "chunked"},
    logged=lambda event: event.data,
    refusal=_refusal,
)
