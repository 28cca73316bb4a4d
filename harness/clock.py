"""The only reader of clocks. Integer monotonic nanoseconds inside; wall time only as a run's origin."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

import msgspec

now_ns = time.monotonic_ns
"""CLOCK_MONOTONIC, ns: the same zero for all processes of one machine."""

cpu_ns = time.process_time_ns
"""CPU time that this process has used, user and system, ns."""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """One instant on both clocks, so that monotonic stamps can be told as dates."""

    utc_ns: int
    monotonic_ns: int


def read_origin() -> Origin:
    """Both clocks, read at the same moment (the wall clock between two monotonic reads, which are averaged)."""
    before = time.monotonic_ns()
    utc = time.time_ns()
    after = time.monotonic_ns()
    return Origin(utc_ns=utc, monotonic_ns=(before + after) // 2)


def utc_now() -> datetime:
    """The date and time now, UTC."""
    return datetime.now(UTC)


def utc_from_ns(utc_ns: int) -> datetime:
    """A date and time from Unix nanoseconds, UTC."""
    return datetime.fromtimestamp(utc_ns / 1e9, UTC)


class Clock(Protocol):
    """What the load engine asks of time; a test passes a virtual one."""

    def now_ns(self) -> int: ...


class MonotonicClock:
    """The machine's clock."""

    def now_ns(self) -> int:
        return time.monotonic_ns()
