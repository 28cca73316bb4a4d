"""The spacing of arrivals at one per second on average: even, random or bursty. Arrival processes scale it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, count
from random import Random

import msgspec

from harness.errors import HarnessError
from harness.suite.suite import Load


class Spacing(msgspec.Struct, frozen=True, kw_only=True):
    """Gaps between arrivals.

    `burstiness` b: gaps are gamma-distributed with shape b and mean 1, so their CV² is 1/b. 1 is Poisson, less is
    burstier, more is smoother (as in vLLM's benchmark_serving). None: all gaps are equal, and the first arrival is at
    0. `burst` n: n requests arrive at a time, n times as far apart.
    """

    burstiness: float | None = None
    burst: int = 1

    @classmethod
    def from_load(cls, load: Load) -> Spacing:
        return cls(burstiness=load.burstiness, burst=load.burst or 1)

    def times(self, rng: Random) -> Iterator[float]:
        """Arrival times at one request per second, s; never decreasing, infinite."""
        return (self.burst * at for at in self._arrivals(rng) for _ in range(self.burst))

    def _arrivals(self, rng: Random) -> Iterator[float]:
        b = self.burstiness
        if b is None:
            return map(float, count())
        return accumulate(rng.expovariate(1.0) if b == 1 else rng.gammavariate(b, 1 / b) for _ in count())


def required_rate(load: Load) -> float:
    """The rate of a load that requires one. HarnessError: it has none."""
    if load.rate_per_s is None or load.rate_per_s <= 0:
        raise HarnessError(f"load: arrival {load.arrival!r} needs a rate above zero; for example rate: 5/s")
    return load.rate_per_s
