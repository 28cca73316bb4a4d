"""Poisson arrivals: independent of each other, as from many users who do not know of one another."""

from __future__ import annotations

from harness.load.arrivals import needed_rate
from harness.load.arrivals.spacing import Spacing
from harness.load.arrivals.steady import Steady
from harness.suite.suite import Load


class Poisson(Steady, frozen=True):
    """Due at sums of exponential gaps with mean 1 / rate; CV² of the gaps is 1."""

    @classmethod
    def from_load(cls, load: Load) -> Poisson:
        return cls(needed_rate(load), Spacing(burstiness=1.0, burst=load.burst or 1))
