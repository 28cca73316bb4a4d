"""Monitors the sending process during a load: loop lag, CPU, garbage collection, connections, open files, clocks."""

from __future__ import annotations

import asyncio
import gc
import os
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Literal

from harness import clock
from harness.errors import EndpointError
from harness.load.limits.in_flight import Connections
from harness.load.progress import Histogram
from harness.store.client_health import ClientHealth

PERIOD_NS = 20_000_000
SECOND_NS = 1_000_000_000


class Watch:
    """Runs as a task during the load; `result` may be called at any time.

    `connections`: one entry for each client of the load. `lag` gets every sample as well.
    """

    def __init__(self, connections: Iterable[Connections] = (), *, lag: Histogram | None = None) -> None:
        self._connections = tuple(connections)
        self._lag = Histogram() if lag is None else lag
        self._late = array("q")
        self._started_ns, self._started_cpu_ns = clock.now_ns(), clock.cpu_ns()
        self._second_ns, self._second_cpu_ns = self._started_ns, self._started_cpu_ns
        self._slept_ns, self._utc_ahead_ns = clock.slept_ns(), clock.utc_ahead_ns()
        self._busiest = 0.0
        self._files: int | None = None
        self._gc_began_ns: int | None = None
        self._gc_pauses = self._gc_total_ns = self._gc_longest_ns = 0

    async def run(self) -> None:
        """Sample until cancelled: lag = actual − requested wake-up time, ns.

        A stall suppresses the samples that would have measured it, so they are filled in, one per period of the stall,
        each with the lag that it would have had (HdrHistogram's correction for coordinated omission).
        """
        with self._gc_watched():
            while True:
                due_ns = clock.now_ns() + PERIOD_NS
                await asyncio.sleep(PERIOD_NS / 1e9)
                woken_ns = clock.now_ns()
                late_ns = max(0, woken_ns - due_ns)
                for sample_ns in range(late_ns, -1, -PERIOD_NS):
                    self._late.append(sample_ns)
                    self._lag.add(sample_ns)
                if woken_ns - self._second_ns >= SECOND_NS:
                    self._end_second(woken_ns)

    def result(self, *, worker: int = 0) -> ClientHealth:
        """The health so far, with quantiles by nearest rank. The lag is 0 before the first sample."""
        late = sorted(self._late) or [0]
        wall_ns = max(1, clock.now_ns() - self._started_ns)
        slept_ns = max(0, clock.slept_ns() - self._slept_ns)
        share = (clock.cpu_ns() - self._started_cpu_ns) / wall_ns
        return ClientHealth(
            worker=worker,
            lag_samples=len(self._late),
            lag_p50_ns=late[len(late) // 2],
            lag_p99_ns=late[min(len(late) - 1, len(late) * 99 // 100)],
            lag_max_ns=late[-1],
            wall_ns=wall_ns,
            cpu_share=share,
            busiest_cpu_share=max(share, self._busiest),
            gc_pauses=self._gc_pauses,
            gc_total_ns=self._gc_total_ns,
            gc_longest_ns=self._gc_longest_ns,
            slept_ns=slept_ns,
            clock_set_ns=clock.utc_ahead_ns() - self._utc_ahead_ns - slept_ns,
            open_files_most=self._files,
            open_files_limit=open_files_limit(),
            connections=min((each.size for each in self._connections), default=0),
            connections_most=max((each.most for each in self._connections), default=0),
            connection_waits=sum(each.waits for each in self._connections),
        )

    def _end_second(self, at_ns: int) -> None:
        used_ns = clock.cpu_ns()
        self._busiest = max(self._busiest, (used_ns - self._second_cpu_ns) / (at_ns - self._second_ns))
        self._second_ns, self._second_cpu_ns = at_ns, used_ns
        files = count_open_files()
        if files is not None:
            self._files = max(files, self._files or 0)

    @contextmanager
    def _gc_watched(self) -> Iterator[None]:
        gc.callbacks.append(self._on_gc)
        try:
            yield
        finally:
            gc.callbacks.remove(self._on_gc)

    def _on_gc(self, phase: Literal["start", "stop"], info: dict[str, int]) -> None:
        if phase == "start":
            self._gc_began_ns = clock.now_ns()
        elif self._gc_began_ns is not None:
            pause_ns = clock.now_ns() - self._gc_began_ns
            self._gc_pauses += 1
            self._gc_total_ns += pause_ns
            self._gc_longest_ns = max(self._gc_longest_ns, pause_ns)


try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None  # type: ignore[assignment]

SPARE = 64
"""File descriptors for everything but the load's connections: journal, pipes, libraries, the event loop."""


def open_files_limit() -> int | None:
    """The soft limit on open files. None: unlimited, or not available on this system."""
    if resource is None:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def count_open_files() -> int | None:
    """The number of open files. None: not available on this system."""
    try:
        return len(os.listdir("/dev/fd"))
    except OSError:
        return None


def allow_connections(requested: int, *, at_least: int | None = None) -> int:
    """Raise the soft limit on open files for `requested` connections; returns how many are possible.

    EndpointError: fewer than `at_least` (default: `requested`) are possible.
    """
    limit = _raise_limit(requested + SPARE)
    possible = requested if limit is None else min(requested, limit - SPARE)
    if possible < (requested if at_least is None else at_least):
        raise EndpointError(
            f"this load opens up to {requested:,} connections, but this process may open only {limit:,} files, which "
            f"allows {max(0, possible):,} connections; lower load.concurrency, share the load with --workers, or "
            "raise the limit (`ulimit -n`)"
        )
    return possible


def _raise_limit(files: int) -> int | None:
    limit = open_files_limit()
    if resource is None or limit is None or limit >= files:
        return limit
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    raised = files if hard == resource.RLIM_INFINITY else min(files, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    except (OSError, ValueError):
        return limit
    return raised
