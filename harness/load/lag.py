"""Event-loop lag: how late the loop wakes a sleeper. When it is high, the client itself was the bottleneck."""

from __future__ import annotations

import asyncio
from array import array

import msgspec

from harness.clock import cpu_ns, now_ns

PERIOD_NS = 20_000_000


class LoopLag(msgspec.Struct, frozen=True, kw_only=True):
    """The loop's lateness over a run, and the CPU that the process used meanwhile."""

    samples: int
    p50_ns: int
    p99_ns: int
    max_ns: int
    cpu_share: float
    """CPU seconds / wall seconds of this process; 1.0 is one whole core."""


class LagMonitor:
    """Runs as a task for as long as the load does; `result` may be asked at any time."""

    def __init__(self) -> None:
        self._late = array("q")
        self._started_ns, self._started_cpu_ns = now_ns(), cpu_ns()

    async def run(self) -> None:
        """Sample until cancelled: the lag of a wake-up is its time − the time asked for.

        A long stall keeps the samples away that would have seen it, so they are filled in: one for each period that it
        lasted, as late as that sample would have been (the correction of HdrHistogram for coordinated omission).
        """
        while True:
            asked_ns = now_ns() + PERIOD_NS
            await asyncio.sleep(PERIOD_NS / 1e9)
            late_ns = max(0, now_ns() - asked_ns)
            self._late.extend(range(late_ns, -1, -PERIOD_NS))

    def result(self) -> LoopLag:
        """Quantiles by nearest rank. All zero before the first sample."""
        late = sorted(self._late) or [0]
        wall_ns = max(1, now_ns() - self._started_ns)
        return LoopLag(
            samples=len(self._late),
            p50_ns=late[len(late) // 2],
            p99_ns=late[min(len(late) - 1, len(late) * 99 // 100)],
            max_ns=late[-1],
            cpu_share=(cpu_ns() - self._started_cpu_ns) / wall_ns,
        )
