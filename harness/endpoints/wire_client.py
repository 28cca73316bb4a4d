"""The client `wire`: every api over sockets of its own, with as little between the network and the tape as can be."""

from __future__ import annotations

import ssl
from collections import OrderedDict
from hashlib import sha256
from typing import Any, Self

import msgspec
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError, ClientError

from harness.endpoints.base import Connection, Tape, WireRequest
from harness.endpoints.failures import clean
from harness.endpoints.reply import has_failed
from harness.endpoints.signer import Signer, ToSign, open_signer
from harness.endpoints.tls import make_tls
from harness.endpoints.wire_address import Address, find_address
from harness.endpoints.wire_pool import Origin, Pool
from harness.endpoints.wire_protocol import BrokeOff
from harness.endpoints.wire_proxy import find_proxy
from harness.errors import EndpointError

KEPT_BYTES = 128 * 1024 * 1024
"""Bodies that are kept encoded, those sent last: a load sends the same few prompts over and over."""
ANTHROPIC_VERSION = "2023-06-01"
"""The version header of the Messages API that every Claude model accepts."""

SERVICES = {"mantle": "bedrock-mantle"}
"""The name that a request is signed for, where it is not `bedrock`."""


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """What a request is on the wire, but for its signature."""

    request: WireRequest
    address: Address
    url: str
    signed: dict[str, str]
    """Headers that are signed."""
    body: bytes
    payload: str
    """SHA-256 of the body, hex."""
    start: str
    """Request line and the headers that are not signed."""
    broke_off: BrokeOff | None
    """Whether a stream has told of its own failure. None: no stream."""


class WireClient:
    """Client for every api there is, streaming or not."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._signer: Signer | None = None
        self._tls: ssl.SSLContext | None = None
        self._pools: dict[tuple[str, str, int], Pool] = {}
        self._prepared: OrderedDict[int, Prepared] = OrderedDict()
        self._kept_bytes = 0

    async def __aenter__(self) -> Self:
        connection = self._connection
        try:
            session = AioSession(profile=connection.profile)
            session.set_config_variable("region", connection.region)  # whose STS a role is asked of
            self._signer = await open_signer(session, connection)
            if connection.url is None or connection.url.startswith("https:"):
                self._tls = make_tls(session)
                if not connection.made_up_credentials:
                    find_proxy(connection.url or "https://amazonaws.com")  # said before anything is sent
        except (BotoCoreError, ClientError, RuntimeError, OSError) as error:
            raise EndpointError(f"client wire: {clean(str(error))} (`harness doctor` shows what was found)") from error
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for pool in self._pools.values():
            pool.close()

    async def send(self, request: WireRequest, tape: Tape) -> None:
        try:
            prepared = self._prepare(request)
            head = await self._sign(prepared)
            pool = self._pool(prepared.address)
            connection = await pool.acquire()
            try:
                await connection.exchange(head, prepared.body, tape, prepared.broke_off)
            except BaseException:
                connection.abort()
                raise
            finally:
                pool.release(connection)
        finally:
            tape.mark_done()

    async def _sign(self, prepared: Prepared) -> bytes:
        """The whole head, signed as of now."""
        assert self._signer is not None
        to_sign = ToSign(prepared.url, dict(prepared.signed), prepared.payload)
        await self._signer.sign(to_sign, SERVICES.get(prepared.request.api, "bedrock"))
        lines = "".join([f"{name}: {value}\r\n" for name, value in to_sign.headers.items()])
        return f"{prepared.start}{lines}\r\n".encode("latin-1")

    def _pool(self, address: Address) -> Pool:
        key = (address.scheme, address.host, address.port)
        pool = self._pools.get(key)
        if pool is None:
            tls = self._tls if address.scheme == "https" else None
            direct = tls is None or self._connection.made_up_credentials
            proxy = None if direct else find_proxy(f"https://{address.authority}")
            pool = self._pools[key] = Pool(
                Origin(host=address.host, port=address.port, tls=tls, proxy=proxy),
                size=self._connection.pool_size,
                connect_timeout_s=self._connection.connect_timeout_s,
            )
        return pool

    def _prepare(self, request: WireRequest) -> Prepared:
        """What goes on the wire for `request`, kept as long as it is among those sent last."""
        kept = self._prepared.get(id(request))
        if kept is not None:
            self._prepared.move_to_end(id(request))
            return kept
        prepared = prepare(self._connection, request)
        self._prepared[id(request)] = prepared  # which holds the request: no other gets its id meanwhile
        self._kept_bytes += len(prepared.body)
        while self._kept_bytes > KEPT_BYTES and len(self._prepared) > 1:
            _, dropped = self._prepared.popitem(last=False)
            self._kept_bytes -= len(dropped.body)
        return prepared


def prepare(connection: Connection, request: WireRequest) -> Prepared:
    """Encode `request`: raw bytes in its body become base64, the model goes where the api wants it."""
    address = find_address(connection, request)
    body = msgspec.json.encode(_whole_body(request))
    signed = {"Host": address.authority, "Content-Type": "application/json", **request.headers}
    if request.api in ("mantle", "messages"):
        signed["anthropic-version"] = ANTHROPIC_VERSION
    accept = "text/event-stream" if request.stream and request.api in _SSE else "application/json"
    asked, length = f"POST {address.path} HTTP/1.1", f"Content-Length: {len(body)}"
    return Prepared(
        request=request,
        address=address,
        url=f"{address.scheme}://{address.authority}{address.path}",
        signed=signed,
        body=body,
        payload=sha256(body).hexdigest(),
        start="".join(f"{line}\r\n" for line in (asked, "User-Agent: harness", f"Accept: {accept}", length)),
        broke_off=_make_watch(request) if request.stream else None,
    )


_MARKS = (b":exception-type", b":error-code"), (b'"error"', b"event: error")
"""What an error inside a stream of frames, and of server-sent events, is not told without."""


def _make_watch(request: WireRequest) -> BrokeOff:
    """An eye on a stream for an error that ends it. The SDKs end there, too; a server may never.

    The marks are looked for in each piece and may be the model's own words, so what has one is read as a whole.
    """
    first, second = _MARKS[request.api in _SSE]

    def watch(tape: Tape) -> bool:
        piece = tape.pieces[-1]
        return (first in piece or second in piece) and has_failed(request, tape)

    return watch


_SSE = ("mantle", "messages", "openai")
"""Apis that take the model's id and the wish for a stream in their body."""


def _whole_body(request: WireRequest) -> dict[str, Any]:
    if request.api not in _SSE:
        return request.body
    counted = {"stream_options": {"include_usage": True}} if request.api == "openai" and request.stream else {}
    return {"model": request.model_id, **request.body, "stream": request.stream, **counted}
