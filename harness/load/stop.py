"""The wish to end a run early, and why."""

from __future__ import annotations

import asyncio

import msgspec

from harness.clock import Clock
from harness.load.alarm import Alarm

LEAST_WAIT_NS = 1_000_000
"""A shorter timer may fire at once, and a wait in such steps keeps the processor busy."""


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

    async def sleep_until(self, due_ns: int, clock: Clock, alarm: Alarm | None = None) -> None:
        """Sleep until then, or until the stop is asked. Never shorter; about a millisecond longer without alarm.

        Timers of a loop may fire early (uvloop rounds them to whole milliseconds), so the clock is asked again.
        """
        while not self.asked and (left_ns := due_ns - clock.now_ns()) > 0:
            try:
                async with asyncio.timeout(max(left_ns, LEAST_WAIT_NS) / 1e9) as wait:
                    if alarm is not None:
                        alarm.set(due_ns, wait)
                    await self._event.wait()
            except TimeoutError:
                continue
            finally:
                if alarm is not None:
                    alarm.clear()
