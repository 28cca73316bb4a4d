"""The connections of the client `wire` to one host: opened with a deadline, kept while idle, never too many."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque

import msgspec

from harness import clock
from harness.endpoints.base import KEEP_ALIVE_S
from harness.endpoints.wire.connect import ConnectFailed, ConnectTimeout, Proxy, open_tunnel
from harness.endpoints.wire.protocol import WireConnection

_KEEP_ALIVE_NS = int(KEEP_ALIVE_S * 1e9)


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to connect to, and by which way. `tls` None: unencrypted, and then past every proxy."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    proxy: Proxy | None = None


class Pool:
    """At most `size` connections to `origin`; who asks for more waits, first come, first served."""

    def __init__(self, origin: Origin, *, size: int, connect_timeout_s: float) -> None:
        self._origin = origin
        self._size = size
        self._connect_timeout_s = connect_timeout_s
        self._idle: deque[WireConnection] = deque()
        self._open: set[WireConnection] = set()
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> WireConnection:
        """A connection on which nothing is under way, the one used last before all others, else a new one.

        One that the server has closed, or that has been idle too long to be sure of, is never given out: an exchange
        begins on a connection that is open, so nothing has to be sent twice. Raises ConnectTimeout, ConnectFailed.
        """
        if self._taken < self._size:
            self._taken += 1
        else:
            await self._wait()
        try:
            return self._reuse() or await self._connect()
        except BaseException:
            self._let_go()
            raise

    def release(self, connection: WireConnection) -> None:
        """Give a connection back; it is kept when another exchange can follow, else closed."""
        if connection.reusable and not connection.lost:
            connection.idle_since_ns = clock.now_ns()
            self._idle.append(connection)
        else:
            connection.abort()
        self._let_go()

    def close(self) -> None:
        """Hang up on everything."""
        for connection in list(self._open):
            connection.abort()

    async def _wait(self) -> None:
        """Until somebody hands over a place: it is never free in between, so that nobody can get before the queue."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._let_go()  # the turn had come already: it is the next one's
            raise

    def _let_go(self) -> None:
        """Give a place to whoever waits longest, or nobody."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._taken -= 1

    def _reuse(self) -> WireConnection | None:
        """The idle connection that was used last, those that have been idle for too long closed."""
        too_old_ns = clock.now_ns() - _KEEP_ALIVE_NS
        while self._idle and self._idle[0].idle_since_ns < too_old_ns:
            self._idle.popleft().abort()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_quiet():
                return connection
            connection.abort()
        return None

    async def _connect(self) -> WireConnection:
        origin = self._origin
        try:
            async with asyncio.timeout(self._connect_timeout_s) as deadline:
                connection = WireConnection(self._forget)
                await _reach(origin, connection)
        except TimeoutError as error:
            if not deadline.expired():  # the operating system's own
                raise ConnectTimeout(f"{origin.host}:{origin.port}: {error}") from error
            raise ConnectTimeout(
                f"no connection to {origin.host}:{origin.port} within {self._connect_timeout_s:g} s"
            ) from error
        except ConnectFailed:
            raise
        except OSError as error:
            raise ConnectFailed(f"no connection to {origin.host}:{origin.port}: {error}") from error
        self._open.add(connection)
        if connection.lost:
            self._open.discard(connection)
        return connection

    def _forget(self, connection: WireConnection) -> None:
        """The connection is no more."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)


async def _reach(origin: Origin, connection: WireConnection) -> None:
    """Connect, through a tunnel where there is a proxy. Whatever is open is closed when this is cancelled."""
    loop = asyncio.get_running_loop()
    if origin.proxy is None or origin.tls is None:
        await loop.create_connection(lambda: connection, origin.host, origin.port, ssl=origin.tls)
        return
    tunnel = await open_tunnel(origin.proxy, origin.host, origin.port, tls=origin.tls)
    try:
        transport = await loop.start_tls(tunnel, connection, origin.tls, server_hostname=origin.host)
    except BaseException:
        tunnel.abort()
        raise
    assert transport is not None
    connection.connection_made(transport)
