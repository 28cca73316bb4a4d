"""The client-side cap: how many attempts a target may be sent each minute."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, nullcontext

from harness.suite.schema import Quota


def make_cap(quota: Quota) -> AbstractAsyncContextManager[object]:
    """Enter it before each attempt; it waits until the cap allows one. Waiting shows as queue delay.

    The cap is held over windows of about a second (n attempts in n × 60 / cap seconds), so that a minute's allowance
    is not spent in one burst.
    """
    cap = quota.requests_per_minute
    if cap is None:
        return nullcontext()
    from asyncio_throttle.throttler import Throttler

    together = max(1, int(cap / 60))
    throttler: AbstractAsyncContextManager[object] = Throttler(rate_limit=together, period=together * 60 / cap)
    return throttler
