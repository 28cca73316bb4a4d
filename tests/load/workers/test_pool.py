"""The parts of a plan: disjoint, and together exactly the plan."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.load.plan import WARMUP, Part, make_plan
from harness.load.workers.pool import split_suite
from harness.suite.suite import Load, Quota, Suite

MakeSuite = Callable[..., Suite]


@given(
    seed=st.integers(0, 999),
    workers=st.integers(1, 5),
    warmup=st.integers(0, 7),
    prompts=st.integers(1, 9),
    arrival=st.sampled_from(["closed", "constant"]),
)
def test_the_union_of_the_parts_is_the_single_process_plan(
    make_suite: MakeSuite, seed: int, workers: int, warmup: int, prompts: int, arrival: str
) -> None:
    load = Load(arrival=arrival, rate_per_s=3.0, repeats=2, warmup=warmup)
    suite = make_suite(load, prompts=prompts, targets=2)
    parts = split_suite(suite, workers)
    rounds = [list(part.rounds(seed=seed)) for part in parts]
    together = sorted((each for some in rounds for each in some), key=lambda each: each.index)
    assert list(make_plan(suite, seed=seed)) == together
    for part, some in zip(parts, rounds, strict=True):
        assert part.share(warmup) == sum(each.phase == WARMUP for each in some)


@given(concurrency=st.integers(1, 100), workers=st.integers(1, 8))
def test_slots_and_caps_are_shared_out_whole(make_suite: MakeSuite, concurrency: int, workers: int) -> None:
    suite = make_suite(Load(concurrency=concurrency), quota=Quota(requests_per_minute=300.0))
    if workers > concurrency:
        with pytest.raises(HarnessError, match=rf"--workers {workers}: the load has {concurrency} slots"):
            split_suite(suite, workers)
        return
    parts = [part.suite for part in split_suite(suite, workers)]
    assert concurrency == sum(part.load.concurrency for part in parts)
    assert min(part.load.concurrency for part in parts) >= 1
    assert sum(part.quota.requests_per_minute or 0 for part in parts) == pytest.approx(300.0)


def test_a_single_part_is_the_whole(make_suite: MakeSuite) -> None:
    suite = make_suite(Load(concurrency=3))
    assert [Part(suite=suite)] == split_suite(suite, 1)
    assert list(make_plan(suite, seed=1)) == list(Part(suite=suite).rounds(seed=1))


def test_no_worker_gets_a_budget_that_lets_no_request_through(make_suite: MakeSuite) -> None:
    suite = make_suite(Load(concurrency=9), quota=Quota(tokens_per_minute=2500.0))
    assert 2 == len(split_suite(suite, 2))
    with pytest.raises(HarnessError, match="--workers 3: a worker's share of"):
        split_suite(suite, 3)
