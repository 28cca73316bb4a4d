"""Limits on what is in flight at once: requests for each target, and connections of each client."""

from __future__ import annotations

import asyncio
from types import TracebackType

from harness import clock
from harness.store.client_health import HeldBack


class InFlightLimit:
    """An async context around each request, including its retries and back-off. First come, first served.

    The wait counts as queue delay. After a stop, requests that are still waiting pass through without sending.
    """

    def __init__(self, limit: int | None) -> None:
        """`limit`: requests at once. None: no limit."""
        self.limit = limit
        self.waits = HeldBack()
        self._slots = None if limit is None else asyncio.Semaphore(limit)

    async def __aenter__(self) -> None:
        if self._slots is None:
            return
        if not self._slots.locked():
            await self._slots.acquire()
            return
        self.waits.requests += 1
        since_ns = clock.now_ns()
        try:
            await self._slots.acquire()
        finally:
            self.waits.longest_ns = max(self.waits.longest_ns, clock.now_ns() - since_ns)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._slots is not None:
            self._slots.release()


class Connections:
    """A context around each exchange of one client. It costs nanoseconds, so it may be on the hot path."""

    __slots__ = ("busy", "most", "size", "waits")

    def __init__(self, size: int) -> None:
        self.size = size
        """The size of the client's pool."""
        self.busy = 0
        self.most = 0
        self.waits = 0
        """Exchanges that started while every connection was in use."""

    def __enter__(self) -> None:
        self.busy += 1
        if self.busy > self.most:
            self.most = self.busy
        if self.busy > self.size:
            self.waits += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.busy -= 1
