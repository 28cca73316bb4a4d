"""Poisson arrivals: independent of each other, as from many users who do not know of one another."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import msgspec

from harness.load.arrivals import needed_rate
from harness.load.arrivals.spacing import Spacing
from harness.suite.schema import Load


class Poisson(msgspec.Struct, frozen=True):
    """`rate_per_s` requests per second for each target on average; CV² of the gaps is 1."""

    rate_per_s: float
    spacing: Spacing

    @classmethod
    def from_load(cls, load: Load) -> Poisson:
        return cls(needed_rate(load), Spacing(burstiness=1.0, burst=load.burst or 1))

    @property
    def opening_per_s(self) -> float:
        return self.rate_per_s

    @property
    def peak_per_s(self) -> float:
        return self.rate_per_s

    def offsets(self, rng: Random) -> Iterator[float]:
        """Sums of exponential gaps with mean 1 / rate."""
        return (at / self.rate_per_s for at in self.spacing.times(rng))
