"""The client `wire`: every api over the harness's own sockets, with as little overhead as possible."""

from __future__ import annotations

import ssl
from collections import OrderedDict
from typing import Self

from harness.endpoints.address import AWS_DOMAIN
from harness.endpoints.base import Connection, Tape, WireRequest
from harness.endpoints.failures import clean
from harness.endpoints.wire.connect import find_proxy, make_tls
from harness.endpoints.wire.pool import Origin, Pool
from harness.endpoints.wire.request import Address, PreparedRequest, prepare
from harness.endpoints.wire.signer import SignableRequest, Signer, open_made_up_signer, open_signer
from harness.endpoints.wire.watch import StreamWatch
from harness.errors import EndpointError

CACHE_BYTES = 128 * 1024 * 1024
"""Size of the LRU cache of encoded bodies: a load test sends the same few prompts over and over."""
SERVICES = {"mantle": "bedrock-mantle"}
"""Api → service name in the signature, if it is not `bedrock`."""


class WireClient:
    """Client for every api, streamed or not."""

    def __init__(self, connection: Connection, *, cache_bytes: int = CACHE_BYTES) -> None:
        """`cache_bytes`: most bytes of encoded bodies that are cached."""
        self._connection = connection
        self._signer: Signer | None = None
        self._tls: ssl.SSLContext | None = None
        self._pools: dict[tuple[str, str, int], Pool] = {}
        self._prepared: OrderedDict[int, PreparedRequest] = OrderedDict()
        self._cached_bytes = 0
        self._cache_bytes = cache_bytes

    async def __aenter__(self) -> Self:
        made_up, url = self._connection.made_up_credentials, self._connection.url
        if made_up and url is not None and url.startswith("http:"):
            self._signer = await open_made_up_signer(self._connection)
        else:
            await self._open_with_sdk()
        return self

    async def _open_with_sdk(self) -> None:
        """Open what needs the AWS SDK, whose import takes longer than the rest of a small run: credentials and TLS."""
        from aiobotocore.session import AioSession

        from harness.endpoints.credentials import NOT_FOUND

        connection = self._connection
        try:
            session = AioSession()
            session.set_config_variable("region", connection.region)  # determines the STS endpoint for assumed roles
            if connection.made_up_credentials:
                self._signer = await open_made_up_signer(connection)
            else:
                self._signer = await open_signer(session, connection)
            if connection.url is None or connection.url.startswith("https:"):
                self._tls = make_tls(session)
                if not connection.made_up_credentials:
                    # report a malformed proxy before anything is sent
                    find_proxy(connection.url or f"https://{AWS_DOMAIN}")
        except (*NOT_FOUND, OSError) as error:
            raise EndpointError(f"client wire: {clean(str(error))} (`harness doctor` shows what was found)") from error

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
                await connection.exchange(head, prepared.body, tape, StreamWatch(request) if request.stream else None)
            except BaseException:
                connection.abort()
                raise
            finally:
                pool.release(connection)
        finally:
            tape.mark_done()

    async def _sign(self, prepared: PreparedRequest) -> bytes:
        """The request head, signed with the current time."""
        assert self._signer is not None
        signable = SignableRequest(prepared.url, dict(prepared.signed), prepared.payload)
        await self._signer.sign(signable, SERVICES.get(prepared.request.api, "bedrock"))
        lines = "".join([f"{name}: {value}\r\n" for name, value in signable.headers.items()])
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

    def _prepare(self, request: WireRequest) -> PreparedRequest:
        """The encoded request, from the LRU cache if possible."""
        cached = self._prepared.get(id(request))
        if cached is not None:
            self._prepared.move_to_end(id(request))
            return cached
        prepared = prepare(self._connection, request)
        self._prepared[id(request)] = prepared  # keeps the request alive, so that its id stays unique
        self._cached_bytes += len(prepared.body)
        while self._cached_bytes > self._cache_bytes and len(self._prepared) > 1:
            _, dropped = self._prepared.popitem(last=False)
            self._cached_bytes -= len(dropped.body)
        return prepared
