"""When requests are due: one file for each arrival process or family of them, one line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Protocol

from harness.load.arrivals.closed import Closed
from harness.load.arrivals.ramp import Ramp
from harness.load.arrivals.steady import constant, gamma, poisson
from harness.load.arrivals.steps import Steps
from harness.load.arrivals.trace import Trace
from harness.suite.suite import Load


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


ARRIVALS: dict[str, Callable[[Load], Arrival]] = {
    "closed": Closed.from_load,
    "constant": constant,
    "poisson": poisson,
    "gamma": gamma,
    "ramp": Ramp.from_load,
    "steps": Steps.from_load,
    "trace": Trace.from_load,
}


def make_arrival(load: Load) -> Arrival:
    """The arrival process that a suite's load names."""
    return ARRIVALS[load.arrival](load)
