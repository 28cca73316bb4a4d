"""Gamma arrivals: burstier than Poisson, or smoother, at the same rate."""

from __future__ import annotations

from harness.errors import HarnessError
from harness.load.arrivals import needed_rate
from harness.load.arrivals.spacing import Spacing
from harness.load.arrivals.steady import Steady
from harness.suite.suite import Load


class Gamma(Steady, frozen=True):
    """`rate_per_s` requests per second for each target on average; CV² of the gaps is 1 / burstiness."""

    @classmethod
    def from_load(cls, load: Load) -> Gamma:
        if load.burstiness is None or load.burstiness <= 0:
            raise HarnessError("load: arrival 'gamma' needs a burstiness above zero; 1 is Poisson, less is burstier")
        return cls(needed_rate(load), Spacing.from_load(load))
