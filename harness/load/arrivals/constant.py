"""Constant arrivals: evenly spaced, whatever the answers take."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import msgspec

from harness.load.arrivals import needed_rate
from harness.load.arrivals.spacing import Spacing
from harness.suite.schema import Load


class Constant(msgspec.Struct, frozen=True):
    """`rate_per_s` requests per second for each target."""

    rate_per_s: float
    spacing: Spacing

    @classmethod
    def from_load(cls, load: Load) -> Constant:
        return cls(needed_rate(load), Spacing(burst=load.burst or 1))

    @property
    def opening_per_s(self) -> float:
        return self.rate_per_s

    @property
    def peak_per_s(self) -> float:
        return self.rate_per_s

    def offsets(self, rng: Random) -> Iterator[float]:
        """k / rate, from k = 0: computed from k each time, so that no rounding error builds up."""
        return (at / self.rate_per_s for at in self.spacing.times(rng))
