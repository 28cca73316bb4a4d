"""The difference between the clocks of two machines, measured over a network that takes its time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle

import pytest

from harness.clock import Origin
from harness.load.cluster.clocks import measure_clock, on_clock
from harness.load.session import Job

AHEAD_NS = -7_200_000_000_123
WALL_AHEAD_NS = 5_300_000_000


class Network:
    """Two machines: `here` reads this one's clocks, `there` asks the other one for its clocks."""

    def __init__(self, delays_ns: Iterator[tuple[int, int]]) -> None:
        self._delays_ns = delays_ns
        self.now_ns = 10**15

    def here(self) -> Origin:
        return Origin(utc_ns=10**18 + self.now_ns, monotonic_ns=self.now_ns)

    async def there(self) -> Origin:
        there_ns, back_ns = next(self._delays_ns)
        self.now_ns += there_ns
        now = self.here()
        self.now_ns += back_ns
        return Origin(utc_ns=now.utc_ns + WALL_AHEAD_NS, monotonic_ns=now.monotonic_ns + AHEAD_NS)


@pytest.fixture
def network() -> Network:
    """A slow way there and a fast one back, mostly; one round trip of 300 µs, which is lopsided too."""
    return Network(cycle([(900_000, 200_000)] * 7 + [(200_000, 100_000)] + [(5_000_000, 90_000)] * 3))


async def test_the_shortest_round_trip_decides_and_half_of_it_bounds_the_error(network: Network) -> None:
    found = await measure_clock(network.there, network.here)
    assert 150_000 == found.uncertainty_ns
    assert abs(found.ahead_ns - AHEAD_NS) == 50_000 <= found.uncertainty_ns
    assert abs(found.wall_ahead_ns - WALL_AHEAD_NS) == 50_000


async def test_a_job_on_a_nodes_clock_gives_stamps_on_the_runs_clock(network: Network) -> None:
    job = Job(run_id="r", seed=1, origin_ns=10**15 - 4_000, start_ns=10**15 + 1_000)
    found = await measure_clock(network.there, network.here)
    there = on_clock(job, found)
    stamp_there_ns = network.now_ns + AHEAD_NS
    assert abs(stamp_there_ns - there.origin_ns - (network.now_ns - job.origin_ns)) <= found.uncertainty_ns
    assert there.start_ns is not None
    assert 5_000 == there.start_ns - there.origin_ns
    assert on_clock(Job(run_id="r", seed=1, origin_ns=0), found).start_ns is None
