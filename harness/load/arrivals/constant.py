"""Constant arrivals: evenly spaced, whatever the answers take."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from random import Random

import msgspec

from harness.errors import HarnessError
from harness.suite.schema import Load


class Constant(msgspec.Struct, frozen=True):
    """`rate_per_s` requests per second for each target."""

    rate_per_s: float

    @classmethod
    def from_load(cls, load: Load) -> Constant:
        if load.rate_per_s is None or load.rate_per_s <= 0:
            raise HarnessError("load: arrival 'constant' needs a rate above zero; write for example rate: 5/s")
        return cls(load.rate_per_s)

    def offsets(self, rng: Random) -> Iterator[float]:
        """k / rate, from k = 0: computed from k each time, so that no rounding error builds up."""
        return (k / self.rate_per_s for k in count())
