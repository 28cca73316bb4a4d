"""A timer as fine as the stamps, where the system has one: a loop's own keep to the millisecond only."""

from __future__ import annotations

import asyncio
import ctypes
import os
from functools import cache
from types import TracebackType
from typing import Self

CLOCK_MONOTONIC = 1
TFD_TIMER_ABSTIME = 1


class _Timespec(ctypes.Structure):
    _fields_ = (("s", ctypes.c_long), ("ns", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Alarm:
    """Ends a wait at a moment of CLOCK_MONOTONIC, about 0.1 ms after it: Linux's timerfd, watched by the running loop.

    It does nothing on other systems, so the wait needs an end of its own. One wait at a time.
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
        """Let `wait` expire then, unless it is over or `clear` is called before."""
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
        except BlockingIOError:  # set again after the loop had seen it expire
            return
        if self._wait is not None and not self._wait.expired():
            self._wait.reschedule(asyncio.get_running_loop().time())


@cache
def _libc() -> ctypes.CDLL | None:
    """The C library, if it has timerfd."""
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "timerfd_create") else None
