"""When requests are due: one file for each arrival process, one line here."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from random import Random
from typing import Protocol

from harness.suite.schema import Load

ARRIVALS = {
    "closed": "harness.load.arrivals.closed:Closed",
    "constant": "harness.load.arrivals.constant:Constant",
}


class Arrival(Protocol):
    """A pure, seeded schedule: it reads no clock."""

    def offsets(self, rng: Random) -> Iterator[float | None]:
        """Seconds after the start at which requests are due, never decreasing, without end; None: when a slot frees."""
        ...


def make_arrival(load: Load) -> Arrival:
    """The arrival process that a suite's load names."""
    module, name = ARRIVALS[load.arrival].split(":")
    arrival: Arrival = getattr(import_module(module), name).from_load(load)
    return arrival
