"""What all arrivals at one unchanging rate share; how they lie apart is what tells them from each other."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import msgspec

from harness.load.arrivals.spacing import Spacing


class Steady(msgspec.Struct, frozen=True):
    """`rate_per_s` requests per second for each target on average."""

    rate_per_s: float
    spacing: Spacing

    @property
    def opening_per_s(self) -> float:
        return self.rate_per_s

    @property
    def peak_per_s(self) -> float:
        return self.rate_per_s

    def offsets(self, rng: Random) -> Iterator[float]:
        """The spacing's times / rate: each computed on its own, so that no rounding error builds up."""
        return (at / self.rate_per_s for at in self.spacing.times(rng))
