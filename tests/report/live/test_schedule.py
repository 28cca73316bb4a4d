"""The offered load at a moment, for every arrival process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.report.live.schedule import target_schedules
from harness.suite.suite import Load, Step, Suite, TracedCall

STEPS = (Step(rate_per_s=5.0, duration_s=10.0), Step(rate_per_s=20.0, duration_s=10.0))
CALLS = tuple(TracedCall(float(at)) for at in [*range(10), *[9.5] * 10])


@pytest.mark.parametrize(
    ("load", "offered"),
    [
        (Load(arrival="constant", rate_per_s=4.0, requests=40), {0.0: 4.0, 9.9: 4.0, 10.1: 0.0}),
        (Load(arrival="poisson", rate_per_s=4.0, duration_s=5.0, warmup=8), {0.0: 4.0, 6.9: 4.0, 7.1: 0.0}),
        (Load(arrival="ramp", rate_per_s=2.0, to_per_s=10.0, duration_s=8.0), {0.0: 2.0, 4.0: 6.0, 8.1: 0.0}),
        (Load(arrival="ramp", rate_per_s=2.0, to_per_s=10.0, duration_s=8.0, warmup=4), {1.9: 2.0, 6.0: 6.0}),
        (Load(arrival="steps", steps=STEPS), {9.9: 5.0, 10.1: 20.0, 20.1: 0.0}),
        (Load(arrival="trace", calls=CALLS), {4.0: 1.0, 9.5: 3.0, 9.6: 0.0}),
        (Load(arrival="trace", calls=CALLS, speed=2.0), {4.0: 2.0, 4.9: 0.0}),
    ],
)
def test_the_offered_rate_follows_the_schedule_to_its_end(
    make_suite: Callable[..., Suite], load: Load, offered: dict[float, float]
) -> None:
    [schedule] = target_schedules(make_suite("a", load=load)).values()
    assert offered == pytest.approx({at_s: schedule.offered_per_s(at_s) for at_s in offered}, abs=0.3)


def test_targets_may_have_their_own_rates(make_suite: Callable[..., Suite]) -> None:
    load = Load(arrival="constant", rate_per_s=4.0, rates_per_s={"b": 9.0}, requests=36)
    schedules = target_schedules(make_suite("a", "b", load=load))
    assert {"a": (4.0, 9.0), "b": (9.0, 4.0)} == {
        name: (each.offered_per_s(1.0), each.end_s) for name, each in schedules.items()
    }


def test_slots_offer_no_rate(make_suite: Callable[..., Suite]) -> None:
    assert {} == target_schedules(make_suite("a", load=Load(concurrency=3)))
