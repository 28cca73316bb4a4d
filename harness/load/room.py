"""How many requests may be under way at a target, and what that held back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

import msgspec

from harness.clock import Clock
from harness.store.finding import Finding
from harness.suite.schema import Load


class HeldBack(msgspec.Struct, kw_only=True):
    """Requests of one target that were due and had to wait for another to end."""

    requests: int = 0
    longest_ns: int = 0


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


def held_findings(held: Mapping[str, HeldBack], load: Load) -> Iterator[Finding]:
    """What to say of a run whose `max_in_flight` held requests back; `held`: by target."""
    for name, each in held.items():
        if each.requests:
            yield Finding(
                what=f"{name}: max_in_flight ({load.max_in_flight}) held back {each.requests:,} requests, at most for "
                f"{each.longest_ns / 1e9:.1f} s; they count from when they were due",
                remedy="raise load.max_in_flight or lower the rate; what was held back was not offered on time",
            )
