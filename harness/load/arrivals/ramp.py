"""A ramp: the rate changes linearly from one value to another, then the run ends."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, takewhile
from math import sqrt
from random import Random

import msgspec

from harness.errors import HarnessError
from harness.load.arrivals.spacing import Spacing, required_rate
from harness.suite.suite import Load


class Ramp(msgspec.Struct, frozen=True):
    """From `from_per_s` to `to_per_s` requests per second for each target within `duration_s`."""

    from_per_s: float
    to_per_s: float
    duration_s: float
    spacing: Spacing

    @classmethod
    def from_load(cls, load: Load) -> Ramp:
        if not load.to_per_s or not load.duration_s:
            raise HarnessError("load: arrival 'ramp' needs `to` and `duration`; for example to: 20/s, duration: 60s")
        return cls(required_rate(load), load.to_per_s, load.duration_s, Spacing.from_load(load))

    @property
    def opening_per_s(self) -> float:
        return self.from_per_s

    @property
    def peak_per_s(self) -> float:
        return max(self.from_per_s, self.to_per_s)

    def rate_at(self, at_s: float) -> float:
        if at_s > self.duration_s:
            return 0.0
        return self.from_per_s + (self.to_per_s - self.from_per_s) * at_s / self.duration_s

    def offsets(self, rng: Random) -> Iterator[float]:
        """Λ⁻¹ of the spacing's times up to Λ(d), where Λ(t) = a·t + (b − a)·t²/2d requests are due by time t."""
        total = (self.from_per_s + self.to_per_s) / 2 * self.duration_s
        due = map(self._due_s, takewhile(lambda at: at < total, self.spacing.times(rng)))
        return accumulate(due, max)  # rounding must not make a later request due earlier

    def _due_s(self, requests: float) -> float:
        """Λ⁻¹, in a form that stays exact when the rate hardly changes."""
        a, slope = self.from_per_s, (self.to_per_s - self.from_per_s) / self.duration_s
        return 2 * requests / (a + sqrt(max(0.0, a * a + 2 * slope * requests)))
