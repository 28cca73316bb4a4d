"""When requests are due: one file and one line here for each arrival process or family."""

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
    """A pure, seeded schedule that reads no clock."""

    @property
    def opening_per_s(self) -> float | None:
        """Requests per second at the start, which is also the rate of the warm-up. None: slots set the pace."""
        ...

    @property
    def peak_per_s(self) -> float | None:
        """The highest rate, per second; for a trace, the mean over its busiest minute. None: slots set the pace."""
        ...

    def rate_at(self, at_s: float) -> float | None:
        """The rate that the schedule asks for `at_s` seconds after its start, per second; 0 after its end.

        For a trace, the mean over the 5 s before. None: slots set the pace.
        """
        ...

    def offsets(self, rng: Random) -> Iterator[float | None]:
        """Due times, seconds after the start, never decreasing. None: as soon as a slot is free.

        Infinite, except for ramp, steps and trace.
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
    """The arrival process of a load."""
    return ARRIVALS[load.arrival](load)
