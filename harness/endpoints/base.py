"""What all clients share: requests, tapes, error kinds, connections, and the Client protocol."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Literal, Protocol, Self

import msgspec

from harness import clock
from harness.catalog.target import Api

ErrorKind = Literal[
    "throttled",
    "unavailable",
    "server_error",
    "model_timeout",
    "model_error",
    "connect_timeout",
    "first_token_timeout",
    "total_timeout",
    "connection",
    "stream_error",
    "stream_truncated",
    "protocol",
    "validation",
    "access_denied",
    "not_found",
    "credentials",
    "quota_exceeded",
    "cancelled",
    "internal",
]


class WireRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request for one HTTP exchange. `body` is in the api's dialect; Converse's may contain raw bytes."""

    api: Api
    model_id: str
    stream: bool
    body: dict[str, Any]
    headers: dict[str, str] = {}
    """Headers of the api, without secrets."""
    reserved_tokens: int = 0
    """Estimated tokens that the service reserves from the tokens-per-minute quota. Not sent."""
    reserved_nanodollars: int = 0
    """What an attempt reserves of the run's budget. Not sent."""


MAX_ANSWER = 256 * 1024 * 1024
"""Bytes of a body, ten times Bedrock's longest answers, so that an endless answer cannot exhaust memory."""


MAX_FIELDS = 64 * 1024
"""Bytes of an answer's header fields, trailers included."""
MAX_FIELD_COUNT = 1000


class AnswerTooLong(Exception):
    """A body or header fields beyond the limits above. What arrived before is on the tape."""


class ProtocolError(Exception):
    """The server's answer is not HTTP/1.1."""


_find_control = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]").search


def check_field(name: bytes, value: bytes) -> None:
    """Raise ProtocolError if a header field has a control character other than a tab (RFC 9110, 5.5)."""
    if _find_control(value):
        raise ProtocolError(f"the answer's header field {name.decode('latin-1')} contains a control character")


def check_fields(fields: Sequence[tuple[bytes, bytes]]) -> None:
    """Check header fields, as names and values.

    AnswerTooLong: they are beyond the limits. ProtocolError: one contains a control character.
    """
    if len(fields) > MAX_FIELD_COUNT:
        raise AnswerTooLong(f"the answer has more than {MAX_FIELD_COUNT} header fields")
    if sum(len(name) + len(value) + 4 for name, value in fields) > MAX_FIELDS:
        raise AnswerTooLong(f"the answer's header fields are longer than {MAX_FIELDS} bytes")
    for name, value in fields:
        check_field(name, value)


class Tape:
    """What arrived in one exchange: the raw pieces of the body, each stamped on arrival.

    Stamps are CLOCK_MONOTONIC ns; None: did not happen. If a deadline or Ctrl-C cancels the send, the tape has what
    arrived until then. `read_tape` interprets it.
    """

    __slots__ = ("_on_sent", "done_ns", "headers", "headers_ns", "pieces", "sent_ns", "size", "stamps", "status")

    def __init__(self, on_sent: Callable[[], object] | None = None) -> None:
        self._on_sent = on_sent
        self.sent_ns: int | None = None
        self.headers_ns: int | None = None
        self.done_ns: int | None = None
        self.status: int | None = None
        self.headers: Mapping[str, str] = {}
        """Lower-case names."""
        self.stamps: list[int] = []
        self.pieces: list[bytes] = []
        self.size = 0
        """Bytes of all pieces."""

    def mark_sent(self) -> None:
        """Call when the request's last byte was handed to the socket."""
        self.sent_ns = clock.now_ns()
        if self._on_sent is not None:
            self._on_sent()

    def mark_head(self, status: int, headers: Mapping[str, str], at_ns: int | None = None) -> None:
        """Call when status line and headers arrived, at `at_ns` or now."""
        self.headers_ns = clock.now_ns() if at_ns is None else at_ns
        self.status = status
        self.headers = headers

    def add(self, piece: bytes, at_ns: int | None = None) -> None:
        """Add body bytes that arrived at `at_ns` or now, before they are parsed. Raises AnswerTooLong."""
        self.size += len(piece)
        if self.size > MAX_ANSWER:
            raise AnswerTooLong(f"the answer is longer than {MAX_ANSWER // 2**20} MiB")
        self.stamps.append(clock.now_ns() if at_ns is None else at_ns)
        self.pieces.append(piece)

    def mark_done(self, at_ns: int | None = None) -> None:
        """Call when the exchange ended, successfully or not. Only the first call counts."""
        if self.done_ns is None:
            self.done_ns = clock.now_ns() if at_ns is None else at_ns


CURRENT_TAPE: ContextVar[Tape] = ContextVar("current_tape")
"""The tape of this task's exchange, for hooks inside an SDK's HTTP layer."""


READ_TIMEOUT_S = 3600.0
"""The SDKs' own read timeout, far longer than the harness's deadlines, which are the ones that apply."""

KEEP_ALIVE_S = 12.0
"""How long an idle connection is kept: well under the 20 s after which AWS closes it."""

IGNORE_CONFIGURED_URLS = True
"""Whether AWS_ENDPOINT_URL and the like are ignored, so that credentials for `aws` go to AWS only."""
MADE_UP_KEY_ID = "MADEUPKEYID"
MADE_UP_SECRET = "made-up-secret"


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how clients connect."""

    url: str | None = None
    """None: the Region's AWS endpoint."""
    region: str
    made_up_credentials: bool = False
    """For loopback: fixed fake keys, and no proxy, token or header from the user's environment."""
    pool_size: int = 64
    """At least the number of concurrent exchanges."""
    connect_timeout_s: float = 5.0


class Client(Protocol):
    """Puts one request on the wire. Sets no deadlines and does not retry."""

    async def __aenter__(self) -> Self:
        """Load everything that the first call needs. EndpointError: credentials are missing or cannot be obtained."""
        ...

    async def __aexit__(self, *exc_info: object) -> None: ...

    async def send(self, request: WireRequest, tape: Tape) -> None:
        """Make the exchange, recording it on the tape up to `mark_done`, whether it succeeds or not.

        Exceptions of the SDK propagate, and `read_tape` classifies them. May be cancelled at any time.
        """
        ...
