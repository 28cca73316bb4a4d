"""How a node's clocks differ from this machine's, and a job's times on them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from harness.clock import Origin, read_origin
from harness.load.session import Job
from harness.store.client_health import NodeClock

PINGS = 20


async def measure_clock(there: Callable[[], Awaitable[Origin]], here: Callable[[], Origin] = read_origin) -> NodeClock:
    """Compare a node's clocks with this machine's, as NTP does. Both functions read the clocks of their machine.

    The node read its clocks at some moment of the round trip. Its middle is off by at most half of it, so the shortest
    of several round trips counts.
    """
    best: NodeClock | None = None
    for _ in range(PINGS):
        asked, read, answered = here(), await there(), here()
        uncertainty_ns = (answered.monotonic_ns - asked.monotonic_ns + 1) // 2
        if best is None or uncertainty_ns < best.uncertainty_ns:
            best = NodeClock(
                ahead_ns=read.monotonic_ns - (asked.monotonic_ns + answered.monotonic_ns) // 2,
                uncertainty_ns=uncertainty_ns,
                wall_ahead_ns=read.utc_ns - (asked.utc_ns + answered.utc_ns) // 2,
            )
    assert best is not None
    return best


def on_clock(job: Job, node: NodeClock) -> Job:
    """A job whose times are on a node's CLOCK_MONOTONIC, so that stamps there are on the run's clock."""
    start_ns = None if job.start_ns is None else job.start_ns + node.ahead_ns
    return msgspec.structs.replace(job, origin_ns=job.origin_ns + node.ahead_ns, start_ns=start_ns)
