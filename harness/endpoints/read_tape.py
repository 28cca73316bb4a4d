"""Turns a tape into a reply: the one place where the bytes of an exchange are interpreted, for every client."""

from __future__ import annotations

import msgspec

from harness.endpoints.base import ErrorKind, Tape, WireRequest
from harness.endpoints.dialects.dialect import DIALECTS
from harness.endpoints.dialects.eventstream import FrameError
from harness.endpoints.failures import (
    MAX_CODE,
    TRANSPORT,
    Failure,
    clean,
    from_code,
    from_encoding,
    from_exception,
    from_frame,
    from_redirect,
    from_response,
)
from harness.endpoints.reply import Milliseconds, Reply, StreamFailure
from harness.secrets import redact

_REASONS: dict[ErrorKind, str] = {
    "first_token_timeout": "no part of the answer had arrived by the first-token deadline",
    "total_timeout": "the answer was not complete by the total deadline",
    "cancelled": "the run was stopped before the answer was complete",
}


def read_tape(
    request: WireRequest, tape: Tape, *, error: BaseException | None = None, reason: ErrorKind | None = None
) -> Reply:
    """Interpret what arrived, and classify the failure if there was one.

    `error` is the exception of the client. `reason` is set if the harness itself ended the exchange
    (`first_token_timeout`, `total_timeout`, `cancelled`); it then is the error kind.
    """
    reply = Reply(http_status=tape.status)
    failure = _find_failure(request, tape, reply, error)
    if reason is not None and not _had_failed(request, tape, reason, failure):
        failure = Failure(kind=reason, message=_REASONS.get(reason, ""))
    if failure is not None:
        reply.error_kind, reply.error_code, reply.error_message = failure.kind, failure.code, failure.message
    reply.text = _redacted(reply.join_texts())
    reply.citations = _redacted(reply.join_citations())
    reply.texts, reply.tools, reply.cited = [], {}, []  # keep only redacted text
    reply.stop_reason = _redacted(reply.stop_reason)
    reply.aws_request_id = _request_id(tape)
    if reply.server_latency_ms is None:
        reply.server_latency_ms = _latency_header(tape)
    return reply


def _had_failed(request: WireRequest, tape: Tape, reason: ErrorKind, failure: Failure | None) -> bool:
    """Whether a stream had failed before its deadline: a client may wait for more after what it cannot decode."""
    streaming = request.stream and tape.status is not None and 200 <= tape.status < 300
    return streaming and reason == "total_timeout" and failure is not None and failure.kind != "stream_truncated"


def _redacted(text: str | None) -> str | None:
    return None if text is None else redact(text)


def _find_failure(request: WireRequest, tape: Tape, reply: Reply, error: BaseException | None) -> Failure | None:
    """Fold the tape into `reply` and find the failure; the tape takes precedence over the client's exception."""
    raised = from_exception(error) if error is not None else None
    if tape.status is None:
        return raised or Failure(kind="internal", message="the client returned without an answer")
    if not 200 <= tape.status < 300:
        return _read_error_response(tape.status, tape)
    if encoding := _encoding(tape):
        return from_encoding(encoding)
    if raised is not None and raised.kind in TRANSPORT:
        raised = msgspec.structs.replace(raised, kind="stream_truncated" if request.stream else "connection")
        if not request.stream:
            return raised
    elif raised is not None:
        raised = msgspec.structs.replace(raised, kind="internal")
    failure = _read_body(request, tape, reply)
    if failure is None and reply.complete and raised is not None and raised.kind == "stream_truncated":
        return None  # the connection broke after a complete answer
    return failure or raised or _require_end(request, tape, reply)


def _read_error_response(status: int, tape: Tape) -> Failure:
    """The failure that a response with another status than 2xx reports."""
    location = tape.headers.get("location")
    if location and 300 <= status < 400:
        return from_redirect(status, location)
    body = b"" if _encoding(tape) else b"".join(tape.pieces)
    return from_response(status, tape.headers.get("x-amzn-errortype"), body)


def _encoding(tape: Tape) -> str | None:
    """How the body is compressed. None if it is not, which is what every client requests."""
    encoding = tape.headers.get("content-encoding", "").strip()
    return encoding if encoding.lower() not in ("", "identity") else None


class StreamReading:
    """Folds the frames of a stream into `reply` as they arrive, each piece once."""

    __slots__ = ("_at", "_decoder", "_read_event", "_reply")

    def __init__(self, request: WireRequest, reply: Reply) -> None:
        dialect = DIALECTS[request.api]
        self._decoder, self._read_event = dialect.make_decoder(), dialect.read_event
        self._reply = reply
        self._at = 0

    @property
    def pending(self) -> int:
        """Bytes of an incomplete frame."""
        return self._decoder.pending

    def read_on(self, tape: Tape) -> Failure | None:
        """Fold the frames since the last call, each with the stamp of the piece that completed it.

        Returns the failure that the stream reports, if any; what follows a failure is ignored.
        """
        first, self._at = self._at, len(tape.pieces)
        try:
            return self._fold(tape.stamps[first:], tape.pieces[first:])
        except _UNREADABLE as error:
            return _to_failure(error)

    def _fold(self, stamps: list[int], pieces: list[bytes]) -> Failure | None:
        feed, read_event, reply = self._decoder.feed, self._read_event, self._reply
        for at_ns, piece in zip(stamps, pieces, strict=True):
            for frame in feed(piece):
                headers = frame.headers
                if headers.get(":message-type") != "event":
                    return from_frame(headers, frame.payload)
                read_event(headers.get(":event-type", ""), frame.payload, at_ns, reply)
        return None


def _read_body(request: WireRequest, tape: Tape, reply: Reply) -> Failure | None:
    """Fold the body. Returns the failure that it reports, if any."""
    if request.stream:
        reading = StreamReading(request, reply)
        failure = reading.read_on(tape)
        if failure is None and reading.pending:
            reply.complete = False
        return failure
    try:
        DIALECTS[request.api].read_body(b"".join(tape.pieces), tape.stamps[-1] if tape.stamps else 0, reply)
    except _UNREADABLE as error:
        return _to_failure(error)
    return None


_UNREADABLE = (StreamFailure, FrameError, msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def _to_failure(error: Exception) -> Failure:
    if isinstance(error, StreamFailure):
        return from_code(error.code, error.message)
    return Failure(kind="protocol", code=type(error).__name__, message=clean(str(error)))


def _require_end(request: WireRequest, tape: Tape, reply: Reply) -> Failure | None:
    """A body that ends cleanly may still be truncated: only the terminal event shows that it is complete."""
    if reply.complete:
        return None
    terminal = DIALECTS[request.api].TERMINAL
    if tape.headers.get("content-type", "").startswith("text/html"):
        return Failure(kind="protocol", message="the answer is a web page, not a stream of events")
    return Failure(kind="stream_truncated", message=f"the stream ended without a complete `{terminal}` event")


def _request_id(tape: Tape) -> str | None:
    """The request id, from the header of bedrock-runtime or that of bedrock-mantle."""
    found = tape.headers.get("x-amzn-requestid") or tape.headers.get("request-id") or ""
    return clean(found, MAX_CODE) or None


def _latency_header(tape: Tape) -> float | None:
    """The latency header of InvokeModel without streaming, ms."""
    try:
        return msgspec.convert(tape.headers["x-amzn-bedrock-invocation-latency"], Milliseconds, strict=False)
    except (KeyError, msgspec.ValidationError):
        return None
