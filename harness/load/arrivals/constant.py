"""Constant arrivals: evenly spaced, whatever the answers take."""

from __future__ import annotations

from harness.load.arrivals import needed_rate
from harness.load.arrivals.spacing import Spacing
from harness.load.arrivals.steady import Steady
from harness.suite.suite import Load


class Constant(Steady, frozen=True):
    """Due at k / rate, from k = 0."""

    @classmethod
    def from_load(cls, load: Load) -> Constant:
        return cls(needed_rate(load), Spacing(burst=load.burst or 1))
