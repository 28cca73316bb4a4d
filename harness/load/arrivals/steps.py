"""Steps: one rate after another, each for a given time, then the run ends."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from random import Random

import msgspec

from harness.errors import HarnessError
from harness.load.arrivals.spacing import Spacing
from harness.suite.suite import Load, Step


class Steps(msgspec.Struct, frozen=True):
    """A sequence of rates for each target."""

    steps: tuple[Step, ...]
    spacing: Spacing

    @classmethod
    def from_load(cls, load: Load) -> Steps:
        if not load.steps:
            raise HarnessError("load: arrival 'steps' needs steps; for example steps: [{rate: 5/s, duration: 60s}]")
        return cls(load.steps, Spacing.from_load(load))

    @property
    def opening_per_s(self) -> float:
        return self.steps[0].rate_per_s

    @property
    def peak_per_s(self) -> float:
        return max(step.rate_per_s for step in self.steps)

    def rate_at(self, at_s: float) -> float:
        for step in self.steps:
            if at_s < step.duration_s:
                return step.rate_per_s
            at_s -= step.duration_s
        return 0.0

    def offsets(self, rng: Random) -> Iterator[float]:
        """Each step consumes rate × duration of the spacing's time, scaled to the step's rate."""
        return accumulate(self._due_s(rng), max)  # rounding must not make a later request due earlier

    def _due_s(self, rng: Random) -> Iterator[float]:
        times = self.spacing.times(rng)
        at, begun_s, begun = next(times), 0.0, 0.0
        for step in self.steps:
            ended = begun + step.rate_per_s * step.duration_s
            while at < ended:
                yield begun_s + (at - begun) / step.rate_per_s
                at = next(times)
            begun_s, begun = begun_s + step.duration_s, ended
