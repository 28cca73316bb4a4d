"""The connection pool of the client `wire` for one host."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque

import msgspec

from harness import clock
from harness.endpoints.base import KEEP_ALIVE_S
from harness.endpoints.wire.connect import ConnectFailed, ConnectTimeout, Proxy, open_tunnel
from harness.endpoints.wire.protocol import WireConnection


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where to connect, and how. Without `tls` the connection is unencrypted and bypasses all proxies."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    proxy: Proxy | None = None


class Pool:
    """At most `size` connections to `origin`; further callers wait, first come, first served."""

    def __init__(
        self, origin: Origin, *, size: int, connect_timeout_s: float, keep_alive_s: float = KEEP_ALIVE_S
    ) -> None:
        """`keep_alive_s`: how long a connection may be idle and still be reused."""
        self._origin = origin
        self._size = size
        self._connect_timeout_s = connect_timeout_s
        self._keep_alive_ns = int(keep_alive_s * 1e9)
        self._idle: deque[WireConnection] = deque()
        self._open: set[WireConnection] = set()
        self._used_slots = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> WireConnection:
        """The most recently used idle connection, or else a new one. Raises ConnectTimeout, ConnectFailed.

        A connection that the server has closed, or that has been idle for too long, is never returned: an exchange
        starts on an open connection, so nothing has to be sent twice.
        """
        if self._used_slots < self._size:
            self._used_slots += 1
        else:
            await self._wait()
        try:
            return self._reuse() or await self._connect()
        except BaseException:
            self._free_slot()
            raise

    def release(self, connection: WireConnection) -> None:
        """Return a connection to the pool; it is closed unless it can be reused."""
        if connection.reusable and not connection.lost:
            connection.idle_since_ns = clock.now_ns()
            self._idle.append(connection)
        else:
            connection.abort()
        self._free_slot()

    def close(self) -> None:
        """Close all connections."""
        for connection in list(self._open):
            connection.abort()

    async def _wait(self) -> None:
        """Wait for a slot. It is handed over directly and never free in between, so that nobody can jump the queue."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._free_slot()  # already got a slot: pass it on
            raise

    def _free_slot(self) -> None:
        """Hand the slot to the longest-waiting caller, or free it."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._used_slots -= 1

    def _reuse(self) -> WireConnection | None:
        """The most recently used idle connection, if any; closes those that have been idle for too long."""
        too_old_ns = clock.now_ns() - self._keep_alive_ns
        while self._idle and self._idle[0].idle_since_ns < too_old_ns:
            self._idle.popleft().abort()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_idle():
                return connection
            connection.abort()
        return None

    async def _connect(self) -> WireConnection:
        origin = self._origin
        try:
            async with asyncio.timeout(self._connect_timeout_s) as deadline:
                connection = WireConnection(self._forget)
                await _establish(origin, connection)
        except TimeoutError as error:
            if not deadline.expired():  # the operating system's own timeout
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
        """Remove a lost connection."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)


async def _establish(origin: Origin, connection: WireConnection) -> None:
    """Connect, through a tunnel if there is a proxy. Closes everything if it is cancelled."""
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
