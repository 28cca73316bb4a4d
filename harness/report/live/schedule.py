"""What a load's schedule asks for at a moment, by target: the offered load, and when it ends."""

from __future__ import annotations

import msgspec

from harness.load.arrivals import Arrival, make_arrival
from harness.load.plan import make_schedules, measured_rounds
from harness.suite.suite import Load, Suite


class TargetSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """When requests to one target are due. Times in seconds after the load began."""

    arrival: Arrival
    warmup_s: float
    end_s: float | None
    """None: unknown."""

    def offered_per_s(self, at_s: float) -> float | None:
        """Requests due per second at a moment. None: slots set the pace."""
        if self.end_s is not None and at_s > self.end_s:
            return 0.0
        return self.arrival.opening_per_s if at_s < self.warmup_s else self.arrival.rate_at(at_s - self.warmup_s)


def target_schedules(suite: Suite) -> dict[str, TargetSchedule]:
    """The schedule of every target of an open load; empty for a closed one."""
    if suite.load.arrival == "closed":
        return {}
    return {
        suite.targets[at].name: _make_schedule(schedule.load, measured_rounds(suite))
        for schedule in make_schedules(suite)
        for at in schedule.targets
    }


def _make_schedule(load: Load, rounds: int | None) -> TargetSchedule:
    arrival = make_arrival(load)
    warmup_s = load.warmup / arrival.opening_per_s if arrival.opening_per_s else 0.0
    ends_s = [_length_s(load), load.duration_s]
    if rounds is not None and load.rate_per_s and load.arrival != "ramp":
        ends_s.append(rounds / load.rate_per_s)
    known = [each for each in ends_s if each is not None]
    return TargetSchedule(arrival=arrival, warmup_s=warmup_s, end_s=warmup_s + min(known) if known else None)


def _length_s(load: Load) -> float | None:
    """The length of a schedule that ends by itself, without the warm-up."""
    if load.calls:
        return load.calls[-1].at_s / (load.speed or 1.0)
    return sum(step.duration_s for step in load.steps) if load.steps else None
