"""The only reader of clocks. Integer monotonic nanoseconds inside; wall time only as a run's origin."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime

import msgspec

FIRST_YEAR, LAST_YEAR = 1970, 9998
"""Years accepted in dates that users write; outside them, time zones and margins would overflow."""

now_ns = time.monotonic_ns
"""CLOCK_MONOTONIC, ns: the same zero for all processes of one machine.

The load and the clients call it as `clock.now_ns()`, so that a test can put a virtual clock in its place.
"""

cpu_ns = time.process_time_ns
"""CPU time that this process has used, user and system, ns."""


def slept_ns() -> int:
    """How long this machine has been suspended since it booted, ns, for which `now_ns` stood still. 0: unknown."""
    with_sleep = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC if sys.platform == "darwin" else None)
    return 0 if with_sleep is None else time.clock_gettime_ns(with_sleep) - time.monotonic_ns()


def utc_ahead_ns() -> int:
    """How far the wall clock is ahead of `now_ns`, ns. It changes when somebody sets the clock, and during a sleep."""
    return time.time_ns() - time.monotonic_ns()


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """One instant on both clocks, so that monotonic stamps can be turned into dates."""

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
    """The date and time of a Unix timestamp in nanoseconds, UTC."""
    return datetime.fromtimestamp(utc_ns / 1e9, UTC)


def parse_utc(text: str) -> datetime:
    """Parse a date or time in ISO 8601 to UTC: `2026-11-01`, `2026-11-01T09:00`, `…Z`, `…+05:30`.

    Without a zone, UTC; without a time, midnight. ValueError: not ISO 8601, or a year outside 1970 to 9998.
    """
    moment = datetime.fromisoformat(text)
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"year {moment.year}")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
