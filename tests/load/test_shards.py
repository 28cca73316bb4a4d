"""The parts of a plan: disjoint, and together exactly the plan."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.load.plan import WARMUP, make_plan
from harness.load.shards import Shard, make_shards
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
    shards = make_shards(suite, workers)
    parts = [list(shard.select(make_plan(shard.part_of(suite), seed=seed))) for shard in shards]
    together = sorted((each for part in parts for each in part), key=lambda each: each.index)
    assert list(make_plan(suite, seed=seed)) == together
    for shard, part in zip(shards, parts, strict=True):
        assert shard.count(warmup) == sum(each.phase == WARMUP for each in part)


@given(concurrency=st.integers(1, 100), workers=st.integers(1, 8))
def test_slots_and_caps_are_shared_out_whole(make_suite: MakeSuite, concurrency: int, workers: int) -> None:
    suite = make_suite(Load(concurrency=concurrency), quota=Quota(requests_per_minute=300.0))
    if workers > concurrency:
        with pytest.raises(HarnessError, match=rf"--workers {workers}: the load has {concurrency} slots"):
            make_shards(suite, workers)
        return
    parts = [shard.part_of(suite) for shard in make_shards(suite, workers)]
    assert concurrency == sum(part.load.concurrency for part in parts)
    assert min(part.load.concurrency for part in parts) >= 1
    assert sum(part.quota.requests_per_minute or 0 for part in parts) == pytest.approx(300.0)


def test_a_single_part_is_the_whole(make_suite: MakeSuite) -> None:
    suite = make_suite(Load(concurrency=3))
    assert suite == Shard().part_of(suite)


def test_no_worker_gets_a_budget_that_lets_no_request_through(make_suite: MakeSuite) -> None:
    suite = make_suite(Load(concurrency=9), quota=Quota(tokens_per_minute=2500.0))
    assert 2 == len(make_shards(suite, 2))
    with pytest.raises(HarnessError, match="--workers 3: a worker's share of"):
        make_shards(suite, 3)
