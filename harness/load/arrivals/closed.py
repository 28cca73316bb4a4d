"""Closed arrivals: the next request is due when a slot is free."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from random import Random

import msgspec

from harness.suite.suite import Load


class Closed(msgspec.Struct, frozen=True):
    """Has no schedule: the number of slots bounds the load."""

    opening_per_s: float | None = None
    peak_per_s: float | None = None

    @classmethod
    def from_load(cls, load: Load) -> Closed:
        return cls()

    def rate_at(self, at_s: float) -> None:
        return None

    def offsets(self, rng: Random) -> Iterator[None]:
        return repeat(None)
