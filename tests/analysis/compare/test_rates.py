"""Differences of rates against published tables and counting by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from harness.analysis.columns import Columns
from harness.analysis.compare.comparison import Difference
from harness.analysis.compare.pairing import Pairs, pair
from harness.analysis.compare.rates import (
    compare_error_rate,
    compare_pass_rate,
    compare_repeats,
    compare_throttle_rate,
)

Rates = Callable[..., Pairs]

# Fagerland, Lydersen & Laake 2014, Statistics in Medicine 33:2850: 1 both, 1 only the second, 7 only the first, 12 none
FIRST, SECOND = np.array([1.0] * 8 + [0] * 13), np.array([1.0] + [0] * 7 + [1] + [0] * 12)
PUBLISHED_LOW, PUBLISHED_HIGH, PUBLISHED_P = -0.507, -0.026, 0.039


@pytest.fixture
def rates(make_columns: Callable[..., Columns]) -> Rates:
    """Two arms over p00, p01, …: how often each prompt was asked, and what passed in each arm."""

    def build(baseline: Any, candidate: Any, repeats: Any = None, name: str = "passed", **changes: Any) -> Pairs:
        asked = np.ones(len(baseline), dtype=int) if repeats is None else np.array(repeats)
        prompts = np.array([f"p{i:02d}" for i, n in enumerate(asked) for _ in range(n)], dtype=object)
        arms = (
            make_columns(len(values), **{"prompt_id": prompts, "group_id": prompts, name: np.array(values), **changes})
            for values in (baseline, candidate)
        )
        return pair(*arms)

    return build


def test_a_pass_rate_of_prompts_asked_once_is_newcombes_published_difference_turned_round(rates: Rates) -> None:
    row = compare_pass_rate(rates(FIRST, SECOND))
    assert (8 / 21, 2 / 21, 6 / 21) == pytest.approx((row.baseline, row.candidate, row.estimate))
    assert (-PUBLISHED_HIGH, -PUBLISHED_LOW) == pytest.approx((row.low, row.high), abs=5e-4)
    assert pytest.approx(PUBLISHED_P, abs=5e-4) == row.p_value
    assert ("pass_rate", "points", "share", "newcombe-paired", 21, 21, "") == (
        row.metric, row.scale, row.unit, row.method, row.n, row.clusters, row.note,
    )  # fmt: skip


def test_an_error_rate_is_the_share_of_failures_and_fewer_of_them_are_better(rates: Rates) -> None:
    row = compare_error_rate(rates(FIRST == 0, SECOND == 0, name="ok", due_s=np.zeros(21)))
    assert (8 / 21, 2 / 21, -6 / 21) == pytest.approx((row.baseline, row.candidate, row.estimate))
    assert (PUBLISHED_LOW, PUBLISHED_HIGH) == pytest.approx((row.low, row.high), abs=5e-4)


def test_without_a_failure_the_row_names_the_rule_of_three(rates: Rates) -> None:
    some, none = np.arange(40) > 0, np.ones(40, dtype=bool)
    assert (
        "no failures in 40 requests: the error rate is at most 7.49% (one-sided 95%, 3/n)"
        == compare_error_rate(rates(some, none, name="ok")).note
    )
    assert "" == compare_error_rate(rates(none, some, name="ok")).note
    exact = binomtest(0, 40, alternative="less").proportion_ci(0.95, method="exact").high
    assert exact < 0.0749 < 1.05 * exact


def test_throttles_are_counted_among_the_attempts_of_the_prompts_that_both_were_asked(rates: Rates) -> None:
    attempts, throttled = np.array([1] * 18 + [2, 2, 2]), np.array([0] * 18 + [1, 1, 1])
    pairs = rates([1] * 21, [1] * 21, attempts=attempts, throttled=throttled, due_s=np.zeros(21))
    row = compare_throttle_rate(pairs)
    assert (3 / 24, 3 / 24, 0.0, 24, 21) == (row.baseline, row.candidate, row.estimate, row.n, row.clusters)
    assert ("newcombe-clustered", "of attempts", False) == (row.method, row.note, row.time_limited)


def test_a_prompt_that_one_side_was_not_asked_throttles_nobody(make_columns: Callable[..., Columns]) -> None:
    prompts = np.array([f"p{i:02d}" for i in range(40)], dtype=object)
    hit = (np.arange(40) >= 30).astype(np.int64)
    baseline = make_columns(30, prompt_id=prompts[:30], group_id=prompts[:30])
    candidate = make_columns(40, prompt_id=prompts, group_id=prompts, attempts=1 + hit, throttled=hit)
    row = compare_throttle_rate(pair(baseline, candidate))
    assert (0.0, 0.0, 30) == (row.baseline, row.candidate, row.n)
    assert (
        "of attempts; no throttles in 30 attempts: the throttle rate is at most 9.99% (one-sided 95%, 3/n)" == row.note
    )


def shown(row: Difference) -> bool:
    """Whether the candidate is significantly worse, whatever the margin."""
    assert row.low is not None
    assert row.p_value is not None
    return row.low > 0 and row.p_value < 0.05


def width(row: Difference) -> float:
    assert row.low is not None
    assert row.high is not None
    return row.high - row.low


def in_one_burst(failed: int, n: int = 240) -> np.ndarray:
    """Failures of neighbours in time, in the middle of a minute."""
    return np.abs(np.arange(n) - n / 2) <= failed / 2


def test_a_burst_of_failures_is_not_so_many_independent_failures(rates: Rates) -> None:
    """16 of 240 fail at once, and as many here and there: the first shows nothing, the second a difference."""
    ok = np.ones(240, dtype=bool)
    once, spread = (
        compare_error_rate(rates(ok, ~hit, name="ok")) for hit in (in_one_burst(16), np.arange(240) % 15 == 7)
    )
    assert "newcombe-paired+time-blocks" == once.method
    assert "failures came in bursts: measure for longer, not with more prompts at once" == once.note
    assert (True, False) == (once.time_limited, shown(once))
    assert ("newcombe-paired", False, "") == (spread.method, spread.time_limited, spread.note)
    assert shown(spread)


def test_a_burst_that_both_suffer_at_the_same_moment_cancels(rates: Rates) -> None:
    both = in_one_burst(60)
    alike = ~(both & (np.arange(240) % 5 > 0)), ~(both & (np.arange(240) % 5 < 4))
    together = compare_error_rate(rates(*alike, name="ok"))
    apart = compare_error_rate(dataclasses.replace(rates(*alike, name="ok"), together=False))
    assert ("newcombe-paired", "newcombe-paired+time-blocks") == (together.method, apart.method)
    assert 4 * width(together) < width(apart)


def test_a_burst_of_failures_widens_the_pass_rate_too_and_wrong_answers_in_a_row_do_not(rates: Rates) -> None:
    hit, ones = in_one_burst(16), np.ones(240)
    passed = np.where(hit, 0.0, 1.0)
    wrong = compare_pass_rate(rates(ones, passed))
    pairs = rates(ones, passed)
    failed = dataclasses.replace(pairs.candidate, columns=dataclasses.replace(pairs.candidate.columns, ok=~hit))
    row = compare_pass_rate(dataclasses.replace(pairs, candidate=failed))
    assert ("newcombe-paired", "newcombe-paired+time-blocks") == (wrong.method, row.method)
    assert (True, False) == (shown(wrong), shown(row))


def test_throttled_attempts_in_a_burst_are_not_independent_coins(rates: Rates) -> None:
    hit = in_one_burst(16)
    pairs = rates(np.ones(240), np.ones(240))
    columns = dataclasses.replace(pairs.candidate.columns, attempts=1 + 3 * hit, throttled=3 * hit)
    row = compare_throttle_rate(
        dataclasses.replace(pairs, candidate=dataclasses.replace(pairs.candidate, columns=columns))
    )
    assert row.candidate == pytest.approx(3 * hit.sum() / (240 + 3 * hit.sum()))
    assert (True, False) == (row.time_limited, shown(row))
    assert "of attempts; throttles came in bursts: measure for longer, not with more prompts at once" == row.note


def test_a_prompt_counts_once_however_often_it_was_asked(rates: Rates) -> None:
    """p00 passed 3 of 3, p01 0 of 1: half, not three quarters; the candidate 2 of 3 and 1 of 1: 5/6."""
    row = compare_pass_rate(rates([1, 1, 1, 0], [1, 1, 0, 1], repeats=[3, 1]))
    assert (1 / 2, 5 / 6, -1 / 3) == pytest.approx((row.baseline, row.candidate, row.estimate))
    assert (2, 2, "newcombe-clustered", "4 answers to 2 prompts") == (row.n, row.clusters, row.method, row.note)


def test_what_was_not_scored_is_left_out_and_counted(rates: Rates) -> None:
    row = compare_pass_rate(rates([1, 0, np.nan, 1], [1, np.nan, 0, 0]))
    assert (2, 1.0, 0.5, "leaves out 2 unscored answers") == (row.n, row.baseline, row.candidate, row.note)
    nothing = compare_pass_rate(rates([np.nan, 1], [1, np.nan]))
    assert (None, None, None, 0) == (nothing.estimate, nothing.baseline, nothing.p_value, nothing.n)
    assert "no prompt has a score on both sides" == nothing.note


def test_a_tag_takes_the_prompts_that_have_it(rates: Rates) -> None:
    pairs = rates([1, 0, 1, 1], [0, 0, 1, 0])
    row = compare_pass_rate(pairs, metric="pass_rate[odd]", selected=np.array([False, True, False, True]))
    assert ("pass_rate[odd]", 2, 0.5, 0.0, 0.5) == (row.metric, row.n, row.baseline, row.candidate, row.estimate)


def test_groups_are_the_clusters(rates: Rates) -> None:
    groups = np.array(["a", "a", "b", "b"], dtype=object)
    row = compare_pass_rate(rates([1, 0, 1, 1], [0, 0, 1, 1], group_id=groups))
    assert (4, 2, "newcombe-clustered") == (row.n, row.clusters, row.method)


def test_any_and_all_of_three_answers_are_counted_by_hand(rates: Rates) -> None:
    """p00 passed 2 of 3 and then 3 of 3, p01 0 of 3 and then 1 of 3."""
    any_of, all_of = compare_repeats(rates([1, 1, 0, 0, 0, 0], [1, 1, 1, 0, 1, 0], repeats=[3, 3]))
    assert ("pass@3", 0.5, 1.0, -0.5) == (any_of.metric, any_of.baseline, any_of.candidate, any_of.estimate)
    assert ("pass^3", 0.0, 0.5, -0.5) == (all_of.metric, all_of.baseline, all_of.candidate, all_of.estimate)
    assert [] == compare_repeats(rates([1, 0], [1, 1]))
