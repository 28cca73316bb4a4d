"""The client-side cap: how many attempts a target may be sent each minute."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING

from harness.load.stop import Stop
from harness.suite.schema import Quota

if TYPE_CHECKING:
    from asyncio_throttle.throttler import Throttler


class Cap:
    """Enter it before each attempt: first come, first served. Waiting shows as queue delay; a stop ends it."""

    def __init__(self, throttler: Throttler, stop: Stop) -> None:
        self.throttler = throttler
        self._stop = stop
        self._head = asyncio.Lock()  # the throttler polls, so that only the head of the queue may ask it

    async def __aenter__(self) -> None:
        async with self._head:
            if self._stop.asked:
                return
            acquiring = asyncio.ensure_future(self.throttler.acquire())  # type: ignore[no-untyped-call]
            stopping = asyncio.ensure_future(self._stop.wait())
            try:
                await asyncio.wait((acquiring, stopping), return_when=asyncio.FIRST_COMPLETED)
            finally:
                acquiring.cancel()
                stopping.cancel()

    async def __aexit__(self, *exc_info: object) -> None:
        return None


def make_cap(quota: Quota, stop: Stop) -> AbstractAsyncContextManager[object]:
    """The cap of one target.

    It is held over windows of about a second (n attempts in n × 60 / cap seconds), so that a minute's allowance is not
    spent in one burst.
    """
    cap = quota.requests_per_minute
    if cap is None:
        return nullcontext()
    from asyncio_throttle.throttler import Throttler

    together = max(1, int(cap / 60))
    return Cap(Throttler(rate_limit=together, period=together * 60 / cap), stop)
