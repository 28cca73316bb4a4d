"""The load of each step of a sweep."""

from __future__ import annotations

from itertools import islice
from random import Random

import pytest

from harness.load.arrivals import make_arrival
from harness.load.knee import Ladder
from harness.load.sweep import Climb
from harness.load.trial import Objective
from harness.suite.schema import Slo

LADDER = Ladder(first=4, lowest=1, highest=100, resolution=0.1)
OBJECTIVE = Objective(slo=Slo(ttft_s=1.0), share=0.95, requests=144)


@pytest.mark.parametrize(("arrival", "burstiness"), [("constant", None), ("poisson", None), ("gamma", 0.5)])
def test_every_steady_arrival_process_can_climb(arrival: str, burstiness: float | None) -> None:
    climb = Climb(by="rate", ladder=LADDER, objective=OBJECTIVE, arrival=arrival, burstiness=burstiness)
    load = climb.load_at(50.0)
    assert (500, 100) == (load.requests, load.warmup)
    assert 5 == len(list(islice(make_arrival(load).offsets(Random(1)), 5)))


def test_a_step_of_slots_fills_every_slot_four_times_at_least() -> None:
    climb = Climb(by="concurrency", ladder=LADDER, objective=OBJECTIVE)
    assert [(144, 29), (400, 100)] == [(load.requests, load.warmup) for load in (climb.load_at(8), climb.load_at(100))]


def test_a_step_may_miss_as_many_as_the_percentile_lets_it() -> None:
    assert [7, 0] == [OBJECTIVE.may_miss, Objective(slo=Slo(), share=1.0, requests=20).may_miss]
