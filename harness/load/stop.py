"""The wish to end a run early, and why."""

from __future__ import annotations

import asyncio

import msgspec

from harness.clock import Clock


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why a run ended early, and what to do about it."""

    what: str
    remedy: str


INTERRUPTED = Reason(what="it was interrupted", remedy="run it again to the end")


class Stop:
    """Asked to send nothing more; what is on the wire is finished. The first reason given stays."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.reason: Reason | None = None

    def ask(self, reason: Reason) -> None:
        if self.reason is None:
            self.reason = reason
        self._event.set()

    @property
    def asked(self) -> bool:
        return self._event.is_set()

    async def wait(self) -> None:
        await self._event.wait()

    async def sleep_until(self, due_ns: int, clock: Clock) -> None:
        """Sleep until then, or until the stop is asked."""
        delay_s = (due_ns - clock.now_ns()) / 1e9
        if delay_s <= 0:
            return
        try:
            async with asyncio.timeout(delay_s):
                await self._event.wait()
        except TimeoutError:
            return
