"""A stall is named, with its time and what it explains; what both suffer, slow prompts and plain noise are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness.analysis.columns import Columns
from harness.analysis.stalls import Explained, Stalled, explain, find_stalls

MakeColumns = Callable[..., Columns]
N = 240


def arm(make_columns: MakeColumns, seed: int, stalled: Any = None, target: str = "a", spread: float = 0.5) -> Columns:
    """Four answers a second, log-normal around 0.5 s, and 2 s more where `stalled`."""
    due, prompts = np.arange(N) / 4, np.array([f"p{i:03d}" for i in range(N)], dtype=object)
    ttft = 0.5 * np.exp(spread * np.random.default_rng(seed).normal(size=N))
    if stalled is not None:
        ttft = ttft + 2.0 * stalled(due)
    return make_columns(
        N, target=target, prompt_id=prompts, group_id=prompts, due_s=due, first_s=due + ttft, last_s=due + ttft + 1,
        done_s=due + ttft + 1,
    )  # fmt: skip


def at_half(due: np.ndarray) -> np.ndarray:
    return (due >= 30) & (due < 34)


def stalls_of(one: Columns, other: Columns, *, together: bool = True) -> Stalled:
    return find_stalls(one, other, run_id="run", together=together)


def test_a_stall_has_its_moment_its_length_and_its_requests(make_columns: MakeColumns) -> None:
    stalled, quiet = arm(make_columns, 1, at_half), arm(make_columns, 2, target="b")
    (found,) = stalls_of(stalled, quiet).stalls
    assert ("run", "a", 16) == (found.run_id, found.target, found.requests)
    assert (30.0, 3.75) == (found.start_s, found.seconds)
    assert 4 < found.times_as_slow < 7
    assert () == stalls_of(quiet, stalled).stalls
    assert np.array_equal(at_half(stalled.due_s), stalls_of(stalled, quiet).requests)


def test_two_stalls_are_two(make_columns: MakeColumns) -> None:
    twice = arm(make_columns, 1, lambda due: at_half(due) | ((due >= 50) & (due < 53)))
    assert [30, 50] == [round(each.start_s) for each in stalls_of(twice, arm(make_columns, 2)).stalls]


def test_what_both_suffer_at_once_is_no_ones_stall(make_columns: MakeColumns) -> None:
    one, other = arm(make_columns, 1, at_half), arm(make_columns, 2, at_half)
    assert () == stalls_of(one, other).stalls


def test_prompts_that_are_slow_everywhere_are_no_stall(make_columns: MakeColumns) -> None:
    """Another run asks the same prompts at another time, or in another order."""
    one, other = arm(make_columns, 1, at_half), arm(make_columns, 2, at_half)
    turned = other.select(np.argsort(-other.due_s))
    assert () == stalls_of(one, turned, together=False).stalls


@pytest.mark.parametrize("spread", [0.1, 0.5, 0.8])
def test_independent_answers_have_no_stalls(make_columns: MakeColumns, spread: float) -> None:
    named = [
        stalls_of(arm(make_columns, seed, spread=spread), arm(make_columns, seed + 1000, spread=spread)).stalls
        for seed in range(40)
    ]
    assert sum(map(bool, named)) <= 1


def test_an_arm_without_latencies_has_no_stalls(make_columns: MakeColumns) -> None:
    failed = make_columns(N, ok=np.zeros(N, dtype=np.bool_))
    assert () == stalls_of(failed, arm(make_columns, 1)).stalls
    assert 1 == len(stalls_of(arm(make_columns, 1, at_half), failed).stalls)


def test_a_difference_without_the_stall_is_what_is_left(make_columns: MakeColumns) -> None:
    stalled, quiet = arm(make_columns, 1, lambda due: (due >= 30) & (due < 36)), arm(make_columns, 1, target="b")
    sides = stalls_of(quiet, stalled), stalls_of(stalled, quiet)
    measured = [Explained(metric=m, logarithm=True, measured=1.0, without=1.0) for m in ("ttft_p95", "pass_rate")]
    (found,) = explain((quiet, stalled), sides, measured)
    assert ("ttft_p95", 1.0) == (found.metric, found.measured)
    assert abs(found.without) < 0.1
