"""When requests are due: one file for each arrival process, one line here."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from random import Random
from typing import Protocol

from harness.errors import HarnessError
from harness.suite.suite import Load

ARRIVALS = {
    "closed": "harness.load.arrivals.closed:Closed",
    "constant": "harness.load.arrivals.constant:Constant",
    "poisson": "harness.load.arrivals.poisson:Poisson",
    "gamma": "harness.load.arrivals.gamma:Gamma",
    "ramp": "harness.load.arrivals.ramp:Ramp",
    "steps": "harness.load.arrivals.steps:Steps",
    "trace": "harness.load.arrivals.trace:Trace",
}

STEADY = ("constant", "poisson", "gamma")
"""Those that keep one rate."""


class Arrival(Protocol):
    """A pure, seeded schedule: it reads no clock."""

    @property
    def opening_per_s(self) -> float | None:
        """The rate with which it begins, which is that of the warm-up before it; None: when a slot frees."""
        ...

    @property
    def peak_per_s(self) -> float | None:
        """The highest rate; of a trace, the mean over its busiest minute. None: as high as the slots manage."""
        ...

    def offsets(self, rng: Random) -> Iterator[float | None]:
        """Seconds after the start at which requests are due, never decreasing; None: when a slot frees.

        Without end, unless the process has one of its own (ramp, steps, trace).
        """
        ...


def make_arrival(load: Load) -> Arrival:
    """The arrival process that a suite's load names."""
    module, name = ARRIVALS[load.arrival].split(":")
    arrival: Arrival = getattr(import_module(module), name).from_load(load)
    return arrival


def needed_rate(load: Load) -> float:
    """The rate of a load that cannot do without one. HarnessError: it has none."""
    if load.rate_per_s is None or load.rate_per_s <= 0:
        raise HarnessError(f"load: arrival {load.arrival!r} needs a rate above zero; write for example rate: 5/s")
    return load.rate_per_s
