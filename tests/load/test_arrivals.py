"""The arrival processes as schedules: sorted, deterministic, as fast as they say, and as bursty."""

from __future__ import annotations

from itertools import islice, pairwise
from random import Random
from statistics import fmean, pvariance
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.load.arrivals import ARRIVALS, make_arrival
from harness.load.plan import MEASURE, WARMUP, count_requests, make_plan
from harness.suite.suite import ArrivalName, Load, Step, TracedCall

RATE = st.floats(0.01, 1000)
CALLS = st.lists(st.floats(0, 1e5), min_size=1, max_size=50).map(
    lambda times: tuple(TracedCall(at_s - min(times)) for at_s in sorted(times))
)
LOADS = st.one_of(
    st.builds(Load, arrival=st.sampled_from(["constant", "poisson"]), rate_per_s=RATE, burst=st.integers(1, 9)),
    st.builds(Load, arrival=st.just("gamma"), rate_per_s=RATE, burstiness=st.floats(0.05, 20)),
    st.builds(Load, arrival=st.just("ramp"), rate_per_s=RATE, to_per_s=RATE, duration_s=st.floats(0.1, 1000),
              burstiness=st.none() | st.floats(0.05, 20)),
    st.builds(Load, arrival=st.just("steps"), steps=st.lists(
        st.builds(Step, rate_per_s=RATE, duration_s=st.floats(0.1, 100)), min_size=1, max_size=4).map(tuple)),
    st.builds(Load, arrival=st.just("trace"), calls=CALLS, speed=st.none() | st.floats(0.1, 10)),
)  # fmt: skip


def due(load: Load, *, seed: int = 1, most: int | None = None) -> list[float]:
    return [at_s or 0.0 for at_s in islice(make_arrival(load).offsets(Random(seed)), most)]


def test_every_arrival_of_the_grammar_has_its_file() -> None:
    assert set(ARRIVALS) == set(ArrivalName.__args__)


CLUMPED = Load(arrival="ramp", rate_per_s=1.0, to_per_s=447.0, duration_s=1.0, burstiness=0.0625)


@settings(max_examples=200)
@given(load=LOADS, seed=st.integers())
@example(load=CLUMPED, seed=229)
def test_a_schedule_is_sorted_starts_no_earlier_than_zero_and_is_the_same_for_the_same_seed(
    load: Load, seed: int
) -> None:
    found = due(load, seed=seed, most=300)
    assert found == due(load, seed=seed, most=300)
    assert all(0 <= at <= later for at, later in pairwise([0.0, *found]))


@settings(max_examples=100)
@given(load=LOADS, seed=st.integers(), shares=st.integers(1, 5))
def test_the_parts_of_a_plan_make_up_the_plan(make_suite: Any, load: Load, seed: int, shares: int) -> None:
    suite = make_suite(load, prompts=3, targets=2)
    whole = list(islice(make_plan(suite, seed=seed), 100))
    parts = [[each for each in islice(make_plan(suite, seed=seed), 100) if each.index % shares == at]
             for at in range(shares)]  # fmt: skip
    assert whole == sorted((each for part in parts for each in part), key=lambda each: each.index)


@pytest.mark.parametrize("burst", [None, 10])
@pytest.mark.parametrize(("arrival", "burstiness"), [("constant", None), ("poisson", None), ("gamma", 0.25)])
def test_the_mean_rate_is_the_one_that_was_asked_for(arrival: str, burstiness: float | None, burst: int | None) -> None:
    found = due(Load(arrival=arrival, rate_per_s=50.0, burstiness=burstiness, burst=burst), most=100_000)
    cv = 0.0 if arrival == "constant" else (1 / (burstiness or 1.0)) ** 0.5
    bound = 4 * cv * ((burst or 1) / 100_000) ** 0.5 + 1e-3  # four standard errors of the mean gap
    assert 50.0 == pytest.approx(len(found) / found[-1], rel=bound)


@pytest.mark.parametrize("burstiness", [0.25, 1.0, 4.0])
def test_burstiness_is_one_over_the_squared_variation_of_the_gaps(burstiness: float) -> None:
    times = due(Load(arrival="gamma", rate_per_s=7.0, burstiness=burstiness), most=100_000)
    gaps = [later - at for at, later in pairwise(times)]
    assert 1 / burstiness == pytest.approx(pvariance(gaps) / fmean(gaps) ** 2, rel=0.05)


def test_a_burstiness_of_one_is_poisson() -> None:
    assert due(Load(arrival="poisson", rate_per_s=3.0), most=50) == due(
        Load(arrival="gamma", rate_per_s=3.0, burstiness=1.0), most=50
    )


def test_requests_of_a_burst_are_due_together_at_the_same_rate() -> None:
    assert [0.0, 0.0, 0.0, 1.5, 1.5, 1.5, 3.0] == due(Load(arrival="constant", rate_per_s=2.0, burst=3), most=7)


@pytest.mark.parametrize(("start", "end"), [(1.0, 20.0), (20.0, 1.0), (5.0, 5.0)])
def test_a_ramp_goes_in_a_straight_line_from_one_rate_to_the_other(start: float, end: float) -> None:
    found = due(Load(arrival="ramp", rate_per_s=start, to_per_s=end, duration_s=1000.0))
    assert (start + end) / 2 * 1000 == pytest.approx(len(found), abs=1)
    assert found[-1] < 1000.0
    for tenth in range(10):
        expected = 100 * (start + (end - start) * (tenth + 0.5) / 10)
        assert expected == pytest.approx(sum(100 * tenth <= at < 100 * (tenth + 1) for at in found), abs=1.01)


def test_steps_follow_each_other_each_at_its_own_rate() -> None:
    steps = (Step(rate_per_s=1.0, duration_s=3.0), Step(rate_per_s=4.0, duration_s=1.0))
    assert [0.0, 1.0, 2.0, 3.0, 3.25, 3.5, 3.75] == due(Load(arrival="steps", steps=steps))


def test_random_steps_keep_their_rates() -> None:
    steps = (Step(rate_per_s=10.0, duration_s=100.0), Step(rate_per_s=100.0, duration_s=100.0))
    found = due(Load(arrival="steps", steps=steps, burstiness=1.0))
    slow = sum(at < 100 for at in found)
    assert (1000, 10_000) == (pytest.approx(slow, abs=4 * 1000**0.5), pytest.approx(len(found) - slow, abs=400))


def test_a_trace_is_replayed_faster_and_its_busiest_minute_is_known() -> None:
    calls = tuple(TracedCall(at_s) for at_s in (0.0, 10.0, 100.0, 120.0, 130.0, 159.0))
    load = Load(arrival="trace", calls=calls)
    assert [0.0, 10.0, 100.0, 120.0, 130.0, 159.0] == due(load)
    assert 4 / 60 == make_arrival(load).peak_per_s
    fast = Load(arrival="trace", calls=calls, speed=4.0)
    assert [0.0, 2.5, 25.0, 30.0, 32.5, 39.75] == due(fast)
    assert 6 / 60 == make_arrival(fast).peak_per_s


@pytest.mark.parametrize(
    "load",
    [
        Load(arrival="constant"),
        Load(arrival="poisson", rate_per_s=0.0),
        Load(arrival="gamma", rate_per_s=1.0),
        Load(arrival="ramp", rate_per_s=1.0, to_per_s=0.0, duration_s=1.0),
        Load(arrival="steps"),
        Load(arrival="trace"),
    ],
    ids=lambda load: load.arrival,
)
def test_a_load_that_is_impossible_says_what_it_needs(load: Load) -> None:
    with pytest.raises(HarnessError, match=f"arrival '{load.arrival}' needs"):
        make_arrival(load)


def test_a_target_with_a_rate_of_its_own_asks_the_same_at_other_times(make_suite: Any) -> None:
    load = Load(arrival="constant", rate_per_s=1.0, rates_per_s={"t1": 4.0}, repeats=2, warmup=1)
    suite = make_suite(load, prompts=3, targets=3)
    rounds = list(make_plan(suite, seed=1))
    assert rounds == sorted(rounds, key=lambda each: each.offset_s or 0)
    asked = {
        name: [(one.phase, one.prompt_id, one.repeat) for each in rounds for one in each.requests if one.target == name]
        for name in ("t0", "t1", "t2")
    }
    assert asked["t0"] == asked["t1"] == asked["t2"]
    times = {
        name: [each.offset_s for each in rounds if name in {one.target for one in each.requests}] for name in asked
    }
    assert [0.25 * k for k in range(7)] == times["t1"]
    assert [1.0 * k for k in range(7)] == times["t0"] == times["t2"]
    ids = [one.request_id for each in rounds for one in each.requests]
    assert 21 == len(set(ids)) == len(ids) == sum((count_requests(suite, seed=1) or {}).values())


@pytest.mark.parametrize(
    ("load", "rounds"),
    [
        (Load(requests=7), 7),
        (Load(requests=7, repeats=1), 3),
        (Load(arrival="constant", rate_per_s=10.0, requests=7), 7),
        (Load(arrival="constant", rate_per_s=10.0, requests=7, duration_s=0.5), 5),
        (Load(arrival="poisson", rate_per_s=10.0), 3),
        (Load(arrival="ramp", rate_per_s=1.0, to_per_s=3.0, duration_s=10.0), 20),
        (Load(arrival="ramp", rate_per_s=1.0, to_per_s=3.0, duration_s=10.0, requests=4), 4),
        (Load(arrival="steps", steps=(Step(rate_per_s=2.0, duration_s=5.0),), duration_s=2.0), 4),
        (Load(arrival="trace", calls=(TracedCall(0.0), TracedCall(9.0))), 2),
        (Load(arrival="trace", calls=(TracedCall(0.0), TracedCall(9.0)), duration_s=5.0), 1),
    ],
)
def test_whatever_ends_first_bounds_a_run_and_is_counted_beforehand(make_suite: Any, load: Load, rounds: int) -> None:
    suite = make_suite(load, prompts=3, targets=2)
    assert rounds == len(list(make_plan(suite, seed=1)))
    assert {WARMUP: 0, MEASURE: 2 * rounds} == count_requests(suite, seed=1)


def test_the_warm_up_goes_before_the_schedule_at_the_rate_with_which_it_begins(make_suite: Any) -> None:
    load = Load(arrival="steps", steps=(Step(rate_per_s=2.0, duration_s=1.0),), warmup=3)
    rounds = list(make_plan(make_suite(load), seed=1))
    assert [(WARMUP, 0.0), (WARMUP, 0.5), (WARMUP, 1.0), (MEASURE, 1.5), (MEASURE, 2.0)] == [
        (each.phase, each.offset_s) for each in rounds
    ]


def test_a_trace_says_who_is_asked_and_its_gaps_take_the_next_prompt(make_suite: Any) -> None:
    calls = tuple(TracedCall(float(at), name) for at, name in enumerate(["p2", None, "p2", None, "p0"]))
    rounds = list(make_plan(make_suite(Load(arrival="trace", calls=calls), prompts=3), seed=1))
    asked = [(one.prompt_id, one.repeat) for each in rounds for one in each.requests]
    assert ["p2", "p2", "p0"] == [asked[at][0] for at in (0, 2, 4)]
    assert len(asked) == len(set(asked))
