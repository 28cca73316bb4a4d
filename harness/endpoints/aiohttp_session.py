"""aiobotocore's HTTP sessions: importing this module stops them from following redirects; `TapedSession` records tapes.

The patch covers all sessions, as no setting reaches those that aiobotocore opens to get credentials from STS, SSO or a
metadata service.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any, Self

import aiohttp
from aiobotocore.httpsession import AIOHTTPSession
from aiohttp.client_proto import ResponseHandler
from aiohttp.helpers import _EXC_SENTINEL

from harness.endpoints.base import CURRENT_TAPE, MAX_FIELD_COUNT, MAX_FIELDS, Tape, check_fields

_HEAD_END = b"\r\n\r\n"


class _Protocol(ResponseHandler):
    """A connection on which an answer counts up to the first malformed byte.

    aiohttp drops whatever precedes that byte in the same read, even a whole answer, and never ends a body in which it
    finds one. It would also take data that arrived while a connection was idle for the next answer.
    """

    _awaits_head = False

    def set_response_params(self, **settings: Any) -> None:
        """Prepare for the next answer."""
        self._awaits_head = True
        super().set_response_params(**settings)

    def data_received(self, data: bytes) -> None:
        """Parse the head on its own, then what follows it."""
        if self._awaits_head and (end := data.find(_HEAD_END)) >= 0:
            self._awaits_head = False
            super().data_received(data[: end + len(_HEAD_END)])
            data = data[end + len(_HEAD_END) :]
            if not data:
                return
        super().data_received(data)

    def set_exception(self, exc: BaseException, exc_cause: BaseException = _EXC_SENTINEL) -> None:
        """End the body that is being received, if there is one, with the exception."""
        super().set_exception(exc, exc_cause)
        if self._payload is not None and not self._payload.is_eof():
            self._payload.set_exception(exc, exc_cause)

    def is_connected(self) -> bool:
        """Whether the connection can be reused."""
        return super().is_connected() and not self._buffer


class _NoRedirects:
    """The part of an aiohttp session that aiobotocore uses, without following redirects."""

    __slots__ = ("session",)

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    def request(self, method: str, **options: Any) -> Any:
        return self.session.request(method, allow_redirects=False, **_LIMITS, **options)


_LIMITS: dict[str, Any] = {"max_field_size": MAX_FIELDS, "max_headers": MAX_FIELD_COUNT}
"""The limits of the other clients in place of aiohttp's own."""


def _create_connector(self: AIOHTTPSession, proxy_url: str | None) -> aiohttp.TCPConnector:
    connector: aiohttp.TCPConnector = _CREATE_CONNECTOR(self, proxy_url)
    make: Callable[..., ResponseHandler] = _Protocol
    connector._factory = partial(make, connector._loop)
    return connector


async def _get_session(self: AIOHTTPSession, proxy_url: str | None) -> _NoRedirects:
    return _NoRedirects(await _GET_SESSION(self, proxy_url))


_CREATE_CONNECTOR, _GET_SESSION = AIOHTTPSession._create_connector, AIOHTTPSession._get_session
AIOHTTPSession._create_connector, AIOHTTPSession._get_session = _create_connector, _get_session


class TapedSession(AIOHTTPSession):  # type: ignore[misc]  # aiobotocore has no types
    """A session that records on the sending task's tape."""

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        await self._get_session(None)  # loads the CA certificates, tens of milliseconds
        return self

    async def _get_session(self, proxy_url: str | None) -> _NoRedirects:
        steady: _NoRedirects = await super()._get_session(proxy_url)
        if _TRACE not in steady.session.trace_configs:
            steady.session.trace_configs.append(_TRACE)
        return steady


class _TapedContent:
    """A response body that records every piece on the tape before passing it on."""

    __slots__ = ("_content", "_tape")

    def __init__(self, content: aiohttp.StreamReader, tape: Tape) -> None:
        self._content = content
        self._tape = tape

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; for −1 all, recorded as they arrive."""
        if size >= 0:
            return self._take(await self._content.read(size))
        pieces = []
        while piece := await self._read_any():
            pieces.append(piece)
        return b"".join(pieces)

    def iter_chunks(self) -> Self:
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[bytes, bool]:
        """The next piece. (`readchunk` does not report the end of an empty body reliably.)"""
        piece = await self._read_any()
        if not piece:
            raise StopAsyncIteration
        return piece, True

    async def _read_any(self) -> bytes:
        """What has arrived. aiohttp reports a failure before the bytes that precede it, which are recorded first."""
        try:
            piece = await self._content.readany()
        except Exception:
            self._take(self._content._read_nowait(-1))
            raise
        return self._take(piece)

    def _take(self, piece: bytes) -> bytes:
        if piece:
            self._tape.add(piece)
        return piece


async def _on_sent(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
    CURRENT_TAPE.get().mark_sent()


async def _on_head(
    session: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
) -> None:
    tape, response = CURRENT_TAPE.get(), params.response
    fields = response._raw_headers or ()
    check_fields(fields)
    if not all(value.isascii() for _, value in fields):  # aiobotocore decodes them as UTF-8
        response._raw_headers = tuple((name, value.decode("latin-1").encode()) for name, value in fields)
    tape.mark_head(response.status, {name.lower(): value for name, value in response.headers.items()})
    response.content = _TapedContent(response.content, tape)  # type: ignore[assignment]


def _make_trace() -> aiohttp.TraceConfig:
    trace = aiohttp.TraceConfig()
    trace.on_request_chunk_sent.append(_on_sent)
    trace.on_request_end.append(_on_head)
    trace.freeze()
    return trace


_TRACE = _make_trace()
