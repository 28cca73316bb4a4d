from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.load.plan import MEASURE, NO_TRIES, WARMUP, Recorded, Round, Tries, count_requests, make_plan
from harness.suite.suite import Load, Suite

MakeSuite = Callable[..., Suite]


@given(
    seed=st.integers(),
    repeats=st.integers(1, 3),
    warmup=st.integers(0, 7),
    prompts=st.integers(1, 6),
    targets=st.integers(1, 4),
)
def test_every_prompt_is_asked_of_every_target_once_a_repeat(
    make_suite: MakeSuite, seed: int, repeats: int, warmup: int, prompts: int, targets: int
) -> None:
    suite = make_suite(Load(repeats=repeats, warmup=warmup), prompts=prompts, targets=targets)
    requests = [planned for each in make_plan(suite, seed=seed) for planned in each.requests]
    measured = Counter((one.target, one.prompt_id, one.repeat) for one in requests if one.phase == MEASURE)
    assert {(f"t{t}", f"p{p}", r) for t in range(targets) for p in range(prompts) for r in range(repeats)} == set(
        measured
    )
    assert set(measured.values()) == {1}
    assert warmup * targets == sum(one.phase == WARMUP for one in requests)
    assert len(requests) == len({one.request_id for one in requests})


@given(seed=st.integers())
def test_the_same_suite_and_seed_give_the_same_plan(make_suite: MakeSuite, seed: int) -> None:
    suite = make_suite(Load(repeats=2, warmup=1), prompts=5, targets=3)
    assert list(make_plan(suite, seed=seed)) == list(make_plan(suite, seed=seed))


def test_another_seed_gives_another_order(make_suite: MakeSuite) -> None:
    suite = make_suite(Load(repeats=2), prompts=20, targets=3)
    assert list(make_plan(suite, seed=1)) != list(make_plan(suite, seed=2))


def test_targets_share_a_round_in_changing_order(make_suite: MakeSuite) -> None:
    rounds = list(make_plan(make_suite(Load(repeats=4), prompts=5, targets=3), seed=1))
    assert all({"t0", "t1", "t2"} == {one.target for one in each.requests} for each in rounds)
    assert len({tuple(one.target for one in each.requests) for each in rounds}) > 1


def test_constant_arrivals_are_evenly_spaced_and_shared_by_all_targets(make_suite: MakeSuite) -> None:
    load = Load(arrival="constant", rate_per_s=4.0, repeats=1)
    assert [0.0, 0.25, 0.5, 0.75, 1.0] == [
        each.offset_s for each in make_plan(make_suite(load, prompts=5, targets=3), seed=1)
    ]


def test_a_duration_cycles_the_prompts_until_it_is_over(make_suite: MakeSuite) -> None:
    load = Load(arrival="constant", rate_per_s=10.0, duration_s=2.0)
    rounds = list(make_plan(make_suite(load, prompts=5, targets=3), seed=1))
    assert 20 == len(rounds)
    assert {0, 1, 2, 3} == {one.repeat for each in rounds for one in each.requests}


def test_warmup_does_not_count_against_the_duration(make_suite: MakeSuite) -> None:
    load = Load(arrival="constant", rate_per_s=10.0, duration_s=1.0, warmup=5)
    phases = Counter(each.phase for each in make_plan(make_suite(load, prompts=5, targets=3), seed=1))
    assert {WARMUP: 5, MEASURE: 10} == dict(phases)


def test_repeats_end_a_run_before_its_duration(make_suite: MakeSuite) -> None:
    load = Load(arrival="constant", rate_per_s=10.0, duration_s=60.0, repeats=1)
    assert 5 == len(list(make_plan(make_suite(load, prompts=5, targets=3), seed=1)))


def test_a_closed_load_with_only_a_duration_has_no_end_of_its_own(make_suite: MakeSuite) -> None:
    suite = make_suite(Load(duration_s=1.0), prompts=5, targets=3)
    assert 1000 == len(list(islice(make_plan(suite, seed=1), 1000)))
    assert count_requests(suite, seed=1) is None


@pytest.mark.parametrize("repeats", [None, 1, 3])
def test_requests_are_counted_by_phase(make_suite: MakeSuite, repeats: int | None) -> None:
    suite = make_suite(Load(repeats=repeats, warmup=2), prompts=5, targets=3)
    assert {WARMUP: 6, MEASURE: 15 * (repeats or 1)} == count_requests(suite, seed=1)


def recorded(*rounds: Round) -> Recorded:
    return Recorded(done=frozenset(one.request_id for each in rounds for one in each.requests))


def ids(rounds: Iterable[Round]) -> list[str]:
    return [one.request_id for each in rounds for one in each.requests]


@given(
    seed=st.integers(),
    load=st.sampled_from(
        [
            Load(repeats=2, warmup=2),
            Load(arrival="poisson", rate_per_s=5.0, repeats=2, warmup=3, rates_per_s={"t1": 9.0}),
        ]
    ),
    done=st.sets(st.integers(0, 35)),
)
def test_what_is_missing_of_a_plan_is_the_plan_without_what_is_done(
    make_suite: MakeSuite, seed: int, load: Load, done: set[int]
) -> None:
    suite = make_suite(load, prompts=5, targets=3)
    plan = ids(make_plan(suite, seed=seed))
    sent = {request for at, request in enumerate(plan) if at in done}
    missing = list(make_plan(suite, seed=seed, recorded=Recorded(done=sent)))
    assert sorted(set(plan) - sent) == sorted(ids(missing))
    assert [each.offset_s or 0.0 for each in missing] == sorted(each.offset_s or 0.0 for each in missing)


def test_missing_rounds_keep_their_distance_and_what_was_sent_takes_no_time(make_suite: MakeSuite) -> None:
    suite = make_suite(Load(arrival="constant", rate_per_s=4.0, repeats=2), prompts=5, targets=3)
    plan = list(make_plan(suite, seed=1))
    missing = list(make_plan(suite, seed=1, recorded=recorded(*plan[:1], *plan[2:6])))
    assert [(1, 0.0), (6, 0.25), (7, 0.5), (8, 0.75), (9, 1.0)] == [(each.index, each.offset_s) for each in missing]


def test_a_schedule_of_its_own_is_not_hurried_by_what_another_has_sent(make_suite: MakeSuite) -> None:
    load = Load(arrival="constant", rate_per_s=100.0, rates_per_s={"t1": 1.0}, repeats=1)
    suite = make_suite(load, prompts=5, targets=2)
    fast = [each for each in make_plan(suite, seed=1) if each.requests[0].target == "t0"]
    missing = make_plan(suite, seed=1, recorded=recorded(*fast))
    assert [0.0, 1.0, 2.0, 3.0, 4.0] == [each.offset_s for each in missing]


def test_a_request_that_was_cut_off_goes_on_with_the_attempts_it_has_left(make_suite: MakeSuite) -> None:
    suite = make_suite(Load(repeats=1), prompts=2, targets=1)
    (first, second) = make_plan(
        suite, seed=1, recorded=Recorded(tries={"000001-00": (tries := Tries(made=3, repeated=1))})
    )
    assert [NO_TRIES, tries] == [each.requests[0].tries for each in (first, second)]
