"""Stopping a run early with a reason, and sleeping until a stop, with precise wake-ups where the system has them."""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Coroutine
from functools import cache
from types import TracebackType
from typing import Any, Self

import msgspec

from harness import clock

LEAST_WAIT_NS = 1_000_000
"""Shorter timers may fire immediately, and waiting in such steps would keep the CPU busy."""


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why a run ended early, and what to do about it."""

    what: str
    remedy: str


INTERRUPTED = Reason(what="it was interrupted", remedy="complete it with `harness run --resume RUN`")


class Stop:
    """A request to send nothing more. Requests in flight still finish. The first reason wins."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._parts: list[Stop] = []
        self.reason: Reason | None = None

    def request(self, reason: Reason) -> None:
        if self.reason is None:
            self.reason = reason
        self._event.set()
        for part in self._parts:
            part.request(reason)

    def part(self) -> Stop:
        """A stop for a part of the load, which this one requests too."""
        part = Stop()
        if self.reason is not None:
            part.request(self.reason)
        self._parts.append(part)
        return part

    @property
    def requested(self) -> bool:
        return self._event.is_set()

    async def wait(self) -> None:
        await self._event.wait()

    async def wait_for(self, wait: Coroutine[Any, Any, Any], *, timeout_s: float | None = None) -> None:
        """Return when `wait` is done, a stop is requested or the time is up, and cancel `wait`."""
        waits = [asyncio.ensure_future(wait), asyncio.ensure_future(self._event.wait())]
        try:
            await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    async def sleep_until(self, due_ns: int, alarm: Alarm | None = None) -> None:
        """Sleep until `due_ns` or a stop. Never wakes early for `due_ns`; without `alarm`, up to about 1 ms late.

        A loop's timers may fire early (uvloop rounds them to whole milliseconds), so the clock is read again.
        """
        while not self.requested and (left_ns := due_ns - clock.now_ns()) > 0:
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


CLOCK_MONOTONIC = 1
TFD_TIMER_ABSTIME = 1


class _Timespec(ctypes.Structure):
    _fields_ = (("s", ctypes.c_long), ("ns", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Alarm:
    """Ends a wait at a time on CLOCK_MONOTONIC, to about 0.1 ms, with Linux's timerfd in the running loop.

    Does nothing on other systems, so the wait needs its own timeout. One wait at a time.
    """

    def __enter__(self) -> Self:
        self._wait: asyncio.Timeout | None = None
        self._timer = _Itimerspec()
        self._libc = _libc()
        self._file = -1
        if self._libc is not None:
            self._file = self._libc.timerfd_create(CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._file >= 0:
            asyncio.get_running_loop().add_reader(self._file, self._expired)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file >= 0:
            asyncio.get_running_loop().remove_reader(self._file)
            os.close(self._file)

    def set(self, at_ns: int, wait: asyncio.Timeout) -> None:
        """Let `wait` expire at `at_ns`, unless `clear` is called first."""
        if self._libc is not None and self._file >= 0:
            self._wait = wait
            self._timer.value.s, self._timer.value.ns = divmod(at_ns, 1_000_000_000)
            self._libc.timerfd_settime(self._file, TFD_TIMER_ABSTIME, ctypes.byref(self._timer), None)

    def clear(self) -> None:
        """The wait is over."""
        self._wait = None

    def _expired(self) -> None:
        try:
            os.read(self._file, 8)
        except BlockingIOError:  # set again after the loop saw it expire
            return
        if self._wait is not None and not self._wait.expired():
            self._wait.reschedule(asyncio.get_running_loop().time())


@cache
def _libc() -> ctypes.CDLL | None:
    """The C library, if it has timerfd."""
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "timerfd_create") else None
