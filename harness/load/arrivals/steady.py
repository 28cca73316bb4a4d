"""Arrivals at one unchanging rate: evenly spaced (constant), independent (Poisson), or burstier than that (gamma)."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import msgspec

from harness.errors import HarnessError
from harness.load.arrivals.spacing import Spacing, needed_rate
from harness.suite.suite import Load


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


def constant(load: Load) -> Steady:
    """Due at k / rate, from k = 0, whatever the answers take."""
    return Steady(needed_rate(load), Spacing(burst=load.burst or 1))


def poisson(load: Load) -> Steady:
    """Due at sums of exponential gaps with mean 1 / rate, as from many users who do not know of one another."""
    return Steady(needed_rate(load), Spacing(burstiness=1.0, burst=load.burst or 1))


def gamma(load: Load) -> Steady:
    """Burstier than Poisson, or smoother, at the same rate: CV² of the gaps is 1 / burstiness."""
    if load.burstiness is None or load.burstiness <= 0:
        raise HarnessError("load: arrival 'gamma' needs a burstiness above zero; 1 is Poisson, less is burstier")
    return Steady(needed_rate(load), Spacing.from_load(load))
