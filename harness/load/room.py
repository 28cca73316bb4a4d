"""How many requests may be under way at a target, and what that held back."""

from __future__ import annotations

import asyncio

from harness.clock import Clock
from harness.store.client_health import HeldBack


class Room:
    """Room for so many requests at once, retries and their backoff included. First come, first served.

    The wait shows as queue delay. After a stop, who gets in sends nothing and makes room at once.
    """

    def __init__(self, limit: int, clock: Clock) -> None:
        self.held = HeldBack()
        self._slots = asyncio.Semaphore(limit)
        self._clock = clock

    async def enter(self) -> None:
        """Return when there is room; every call needs its `leave`."""
        if not self._slots.locked():
            await self._slots.acquire()
            return
        self.held.requests += 1
        since_ns = self._clock.now_ns()
        try:
            await self._slots.acquire()
        finally:
            self.held.longest_ns = max(self.held.longest_ns, self._clock.now_ns() - since_ns)

    def leave(self) -> None:
        self._slots.release()
