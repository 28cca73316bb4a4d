"""Differences of latency quantiles worked by hand, against numpy, and beside scipy's bootstrap."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import bootstrap

from harness.analysis.columns import Columns
from harness.analysis.compare.comparison import Difference, Scale
from harness.analysis.compare.latencies import BURSTS, IN_BURSTS, THIN, compare_equal_length, compare_latencies
from harness.analysis.compare.pairing import Pairs, pair

Latencies = Callable[..., Pairs]
NAN = float("nan")


@pytest.fixture
def latencies(make_columns: Callable[..., Columns]) -> Latencies:
    """Two arms that asked each prompt once: their TTFT in s; a latency of NaN is a request that failed."""

    def build(old: Any, new: Any, groups: Any = None, **changes: Any) -> Pairs:
        n = len(old)
        prompts = np.array([f"p{i:03d}" for i in range(n)], dtype=object)
        clusters = prompts if groups is None else np.array(groups, dtype=object)
        arms = []
        for ttft in (np.asarray(old, dtype=float), np.asarray(new, dtype=float)):
            first = np.arange(n) + ttft
            arms.append(make_columns(n, prompt_id=prompts, group_id=clusters, first_s=first, last_s=first + 1,
                                     done_s=first + 1.1, ok=~np.isnan(ttft), **changes))  # fmt: skip
        return pair(*arms)

    return build


def one(pairs: Pairs, metric: str, scale: Scale = "log_ratio") -> Difference:
    return compare_latencies(pairs, [(metric, scale)])[metric]


def test_a_candidate_that_is_a_quarter_slower_throughout_has_the_log_of_that_ratio(latencies: Latencies) -> None:
    old = np.full(80, 0.4)
    row = one(latencies(old, 1.25 * old), "ttft_p50")
    assert [math.log(1.25)] * 3 == pytest.approx([row.estimate, row.low, row.high])
    assert (0.4, 0.5) == pytest.approx((row.baseline, row.candidate))
    assert ("ttft_p50", "log_ratio", "s", "time-blocks", 80, 80, "") == (
        row.metric, row.scale, row.unit, row.method, row.n, row.clusters, row.note,
    )  # fmt: skip
    assert pytest.approx(0.1) == one(latencies(old, 1.25 * old), "ttft_p50", "absolute").estimate


def test_the_levels_are_nearest_ranks_and_the_interval_is_near_scipys(latencies: Latencies) -> None:
    rng = np.random.default_rng(3)
    old, new = rng.lognormal(-0.7, 0.3, 200), rng.lognormal(-0.5, 0.3, 200)
    row = one(latencies(old, new), "ttft_p90")
    before, after = (float(np.quantile(each, 0.9, method="inverted_cdf")) for each in (old, new))
    assert (before, after, math.log(after / before)) == pytest.approx((row.baseline, row.candidate, row.estimate))

    def contrast(x: Any, y: Any, axis: int) -> Any:
        nearest = "inverted_cdf"
        return np.log(np.quantile(y, 0.9, axis=axis, method=nearest) / np.quantile(x, 0.9, axis=axis, method=nearest))

    expected = bootstrap((old, new), contrast, paired=True, method="percentile", n_resamples=2000,
                         rng=np.random.default_rng(4)).confidence_interval  # fmt: skip
    assert (expected.low, expected.high) == pytest.approx((row.low, row.high), abs=0.04)


def test_a_tail_of_too_few_samples_has_no_bounds_and_says_how_many_it_takes(latencies: Latencies) -> None:
    values = np.linspace(0.1, 1, 60)
    row = one(latencies(values, values), "ttft_p95")
    assert (None, None, None, 0.0) == (row.low, row.high, row.p_value, row.estimate)
    assert ("no bounds: p95 needs 72 samples of 24 prompts or groups", 72, None) == (
        row.note, row.n_needed, row.clusters_needed,
    )  # fmt: skip
    few = one(latencies(values, values, [f"g{i % 10}" for i in range(60)]), "ttft_p95")
    assert (10, 144, 24) == (few.clusters, few.n_needed, few.clusters_needed)  # 24 groups of 6


@pytest.mark.parametrize(("n", "seed", "why"), [(240, 3, BURSTS), (80, 4, THIN)])
def test_a_side_without_a_bound_says_whether_bursts_or_too_few_answers_are_the_reason(
    latencies: Latencies, n: int, seed: int, why: str
) -> None:
    rng, at = np.random.default_rng(seed), np.arange(n)
    old, new = (rng.lognormal(-0.7, 0.3, n) for _ in range(2))
    row = one(latencies(old, new + 3.0 * ((at >= 200) & (at < 214))), "ttft_p95")
    assert row.low is None or row.high is None
    assert (why == BURSTS, why) == (row.time_limited, row.note)


def test_a_median_that_bursts_widen_says_so(latencies: Latencies) -> None:
    rng, at = np.random.default_rng(3), np.arange(240)
    old, new = (rng.lognormal(-0.7, 0.3, 240) for _ in range(2))
    stalled, quiet = (one(latencies(old, each), "ttft_p50") for each in (new + 3.0 * ((at >= 100) & (at < 190)), new))
    assert (True, IN_BURSTS) == (stalled.time_limited, stalled.note)
    assert (False, "") == (quiet.time_limited, quiet.note)


def test_groups_of_unequal_size_count_for_fewer(latencies: Latencies) -> None:
    """One group of 50 beside 30 prompts of their own: 80² / (50² + 30) = 2.5, rounded to 3."""
    values = np.linspace(0.1, 1, 80)
    row = one(latencies(values, values, ["big"] * 50 + [f"g{i}" for i in range(30)]), "ttft_p95")
    assert "needs 72 samples of 24 prompts or groups (its 31 are of unequal size and count as 3)" in row.note


def test_failures_are_left_out_and_the_quantile_with_them_as_infinite_stands_beside_it(latencies: Latencies) -> None:
    """Of 1 to 10 s the last two failed: the median of what is left is the 4th of eight, 4, then the 5th of ten, 5."""
    whole = np.arange(1.0, 11.0)
    row = one(latencies(whole, np.where(whole > 8, NAN, whole)), "ttft_p50")
    assert (8, 4.0, 4.0, 0.0) == (row.n, row.baseline, row.candidate, row.estimate)
    assert (
        "2 prompts without a value on both sides left out; 0 and 2 requests failed and are not in it; with failures as "
        "∞ 4 s → 5 s"
    ) == row.note
    assert (4.0, 5.0, math.log(5 / 4)) == pytest.approx(
        (row.baseline_inflated, row.candidate_inflated, row.inflated_estimate)
    )
    tail = one(latencies(whole, np.where(whole > 8, NAN, whole)), "ttft_p90")
    assert (8.0, None, math.inf) == (tail.baseline_inflated, tail.candidate_inflated, tail.inflated_estimate)


def test_without_a_pair_there_is_no_difference(latencies: Latencies) -> None:
    row = one(latencies([1.0, NAN], [NAN, 1.0]), "ttft_p50")
    assert (None, None, "no prompt has a value on both sides") == (row.baseline, row.estimate, row.note)


def test_metrics_that_are_no_quantiles_are_left_to_others(latencies: Latencies) -> None:
    wanted: list[tuple[str, Scale]] = [("pass_rate", "points"), ("e2e_p50", "log_ratio"), ("tpot_p50", "absolute")]
    assert ["e2e_p50", "tpot_p50"] == list(compare_latencies(latencies([1.0, 1.0], [1.0, 1.0]), wanted))


def test_at_equal_length_longer_answers_are_no_slower(
    latencies: Latencies, make_columns: Callable[..., Columns]
) -> None:
    """TTFT 0.5 s, then 0.1 s a token: 11 tokens take 1.5 s, and 21 tokens would have, had they been 11."""
    prompts = np.array([f"p{i:03d}" for i in range(30)], dtype=object)
    at = {"prompt_id": prompts, "group_id": prompts}
    longer = make_columns(30, **at, output_tokens=np.full(30, 21.0), last_s=np.arange(30) + 2.5)
    row = compare_equal_length(pair(make_columns(30, **at), longer))
    assert ("e2e_p50_equal_length", "s", "log_ratio") == (row.metric, row.unit, row.scale)
    assert (1.5, 1.5, 0.0) == pytest.approx((row.baseline, row.candidate, row.estimate))
