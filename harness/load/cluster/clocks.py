"""How a node's clocks differ from this machine's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from harness import clock
from harness.store.client_health import NodeClock

PINGS = 20


async def measure_clock(read: Callable[[], Awaitable[tuple[int, int]]]) -> NodeClock:
    """Compare a node's clocks with this machine's, as NTP does. `read`: the node's CLOCK_MONOTONIC and wall clock, ns.

    The node read its clocks at some moment of the round trip. Its middle is off by at most half of it, so the shortest
    of several round trips counts.
    """
    best: NodeClock | None = None
    for _ in range(PINGS):
        asked_ns = clock.now_ns()
        monotonic_ns, utc_ns = await read()
        answered_ns = clock.now_ns()
        middle_ns, uncertainty_ns = (asked_ns + answered_ns) // 2, (answered_ns - asked_ns + 1) // 2
        if best is None or uncertainty_ns < best.uncertainty_ns:
            best = NodeClock(
                ahead_ns=monotonic_ns - middle_ns,
                uncertainty_ns=uncertainty_ns,
                wall_ahead_ns=utc_ns - clock.utc_ahead_ns() - middle_ns,
            )
    assert best is not None
    return best
