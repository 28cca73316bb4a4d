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

from harness.endpoints.base import CURRENT_TAPE, Tape


class _Protocol(ResponseHandler):
    """A connection that is not reused if it received data while idle; aiohttp would take it for the next answer."""

    def is_connected(self) -> bool:
        """Whether the connection can be reused."""
        return super().is_connected() and not self._buffer


class _NoRedirects:
    """The part of an aiohttp session that aiobotocore uses, without following redirects."""

    __slots__ = ("session",)

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    def request(self, method: str, **options: Any) -> Any:
        return self.session.request(method, allow_redirects=False, **options)


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
        while piece := self._take(await self._content.readany()):
            pieces.append(piece)
        return b"".join(pieces)

    def iter_chunks(self) -> Self:
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[bytes, bool]:
        """The next piece. (`readchunk` does not report the end of an empty body reliably.)"""
        piece = self._take(await self._content.readany())
        if not piece:
            raise StopAsyncIteration
        return piece, True

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
    tape.mark_head(response.status, {name.lower(): value for name, value in response.headers.items()})
    response.content = _TapedContent(response.content, tape)  # type: ignore[assignment]


def _make_trace() -> aiohttp.TraceConfig:
    trace = aiohttp.TraceConfig()
    trace.on_request_chunk_sent.append(_on_sent)
    trace.on_request_end.append(_on_head)
    trace.freeze()
    return trace


_TRACE = _make_trace()
