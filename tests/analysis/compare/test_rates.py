"""Differences of rates against published tables and counting by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from harness.analysis.columns import AttemptCounts, Columns
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
    row = compare_error_rate(rates(FIRST == 0, SECOND == 0, name="ok"))
    assert (8 / 21, 2 / 21, -6 / 21) == pytest.approx((row.baseline, row.candidate, row.estimate))
    assert (PUBLISHED_LOW, PUBLISHED_HIGH) == pytest.approx((row.low, row.high), abs=5e-4)


def test_without_a_failure_the_row_names_the_rule_of_three(rates: Rates) -> None:
    some, none = np.arange(40) > 0, np.ones(40, dtype=bool)
    assert (
        "no failures in 40 requests: the error rate is at most 7.49% (3/n)"
        == compare_error_rate(rates(some, none, name="ok")).note
    )
    assert "" == compare_error_rate(rates(none, some, name="ok")).note
    exact = binomtest(0, 40, alternative="less").proportion_ci(0.95, method="exact").high
    assert exact < 0.0749 < 1.05 * exact


def test_throttled_attempts_have_newcombes_published_independent_interval() -> None:
    def counts(throttled: int, attempts: int) -> AttemptCounts:
        return AttemptCounts(attempts=attempts, error_kinds={"throttled": throttled}, input_tokens=0, output_tokens=0,
                             cache_read_tokens=0, cache_write_tokens=0, cost_usd=None)  # fmt: skip

    row = compare_throttle_rate(counts(48, 80), counts(56, 70))
    # Newcombe 1998, Statistics in Medicine 17:873, table II, method 10
    assert (0.6, 0.8, 0.2) == pytest.approx((row.baseline, row.candidate, row.estimate))
    assert (0.0524, 0.3339) == pytest.approx((row.low, row.high), abs=5e-5)
    assert (70, 70, "newcombe-independent", "of attempts") == (row.n, row.clusters, row.method, row.note)


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
