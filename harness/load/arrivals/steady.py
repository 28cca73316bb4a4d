"""Arrivals at a constant rate: evenly spaced (constant), independent (Poisson), or burstier (gamma)."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import msgspec

from harness.errors import HarnessError
from harness.load.arrivals.spacing import Spacing, required_rate
from harness.suite.suite import Load


class Steady(msgspec.Struct, frozen=True):
    """On average `rate_per_s` requests per second for each target."""

    rate_per_s: float
    spacing: Spacing

    @property
    def opening_per_s(self) -> float:
        return self.rate_per_s

    @property
    def peak_per_s(self) -> float:
        return self.rate_per_s

    def rate_at(self, at_s: float) -> float:
        return self.rate_per_s

    def offsets(self, rng: Random) -> Iterator[float]:
        """The spacing's times / rate. Each is computed separately, so rounding errors do not add up."""
        return (at / self.rate_per_s for at in self.spacing.times(rng))


def constant(load: Load) -> Steady:
    """Due at k / rate for k = 0, 1, …, s."""
    return Steady(required_rate(load), Spacing(burst=load.burst or 1))


def poisson(load: Load) -> Steady:
    """Exponential gaps with mean 1 / rate, as from many independent users."""
    return Steady(required_rate(load), Spacing(burstiness=1.0, burst=load.burst or 1))


def gamma(load: Load) -> Steady:
    """Gamma-distributed gaps with mean 1 / rate and CV² = 1 / burstiness."""
    if load.burstiness is None or load.burstiness <= 0:
        raise HarnessError("load: arrival 'gamma' needs a burstiness above zero; 1 is Poisson, less is burstier")
    return Steady(required_rate(load), Spacing.from_load(load))
