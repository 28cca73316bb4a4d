"""Intervals against published values, independent computations, and their own promise: coverage."""

from __future__ import annotations

import math
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import binomtest, ttest_1samp

from harness.analysis.stats.intervals import (
    cluster_codes,
    clustered_rate,
    effective_clusters,
    quantile,
    quantile_interval,
    ratio_interval,
    rule_of_three,
    samples_for_quantile,
    wilson,
)


def binomial_cdf(n: int, q: float) -> list[float]:
    """P(Bin(n, q) ≤ k) for k = 0 … n, term by term."""
    return list(accumulate(math.comb(n, k) * q**k * (1 - q) ** (n - k) for k in range(n + 1)))


@pytest.mark.parametrize(
    ("passed", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_values_of_newcombes_table(passed: int, n: int, low: float, high: float) -> None:
    interval = wilson(passed, n)
    assert (low, high) == pytest.approx((interval.low, interval.high), abs=5e-5)


@pytest.mark.parametrize(
    ("passed", "n", "level"), [(0, 1, 0.95), (1, 1, 0.95), (7, 9, 0.8), (39, 40, 0.99), (500, 999, 0.95)]
)
def test_wilson_agrees_with_scipy(passed: int, n: int, level: float) -> None:
    expected = binomtest(passed, n).proportion_ci(level, method="wilson")
    interval = wilson(passed, n, level)
    assert expected == pytest.approx((interval.low, interval.high), abs=1e-12)
    assert passed / n == interval.value


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_stays_inside_nought_and_one_and_around_its_estimate(case: tuple[int, int]) -> None:
    interval = wilson(*case)
    assert interval.low is not None
    assert interval.high is not None
    assert 0 <= interval.low <= interval.value <= interval.high <= 1


@pytest.mark.parametrize(("passed", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_counts_that_cannot_be(passed: int, n: int) -> None:
    with pytest.raises(ValueError, match="wilson needs"):
        wilson(passed, n)


def test_one_answer_a_cluster_is_wilsons_interval() -> None:
    assert wilson(8, 10) == clustered_rate(np.array([1] * 8 + [0] * 2), np.ones(10))


def test_answers_that_agree_within_their_clusters_count_once() -> None:
    repeated = clustered_rate(np.array([6] * 8 + [0] * 2), np.full(10, 6))
    once = wilson(8, 10)
    assert once.value == repeated.value
    assert repeated.low is not None
    assert once.low is not None
    assert repeated.low < once.low
    assert wilson(10, 10) == clustered_rate(np.full(10, 6), np.full(10, 6))
    assert wilson(0, 10) == clustered_rate(np.zeros(10), np.full(10, 6))
    assert wilson(1, 1).value == clustered_rate(np.array([6]), np.array([6])).value


def test_answers_that_differ_within_their_clusters_count_nearly_each() -> None:
    spread, plain = clustered_rate(np.full(40, 4), np.full(40, 5)), wilson(160, 200)
    assert pytest.approx((plain.low, plain.high), abs=0.01) == (spread.low, spread.high)


@pytest.mark.parametrize("answers", [[], [1, 0]])
def test_a_rate_of_no_answer_is_refused(answers: list[int]) -> None:
    with pytest.raises(ValueError, match="at least one answer"):
        clustered_rate(np.zeros(len(answers)), np.array(answers))


@pytest.mark.parametrize(("clusters", "repeats", "rate"), [(12, 6, 0.8), (40, 5, 0.85)])
@pytest.mark.parametrize("agreeing", [True, False])
def test_a_clustered_rate_covers_the_truth_whether_or_not_repeats_agree(
    clusters: int, repeats: int, rate: float, agreeing: bool
) -> None:
    rng = np.random.default_rng(5)
    shape = (1000, clusters)
    passed = repeats * rng.binomial(1, rate, shape) if agreeing else rng.binomial(repeats, rate, shape)
    answers = np.full(clusters, repeats)
    intervals = [clustered_rate(row, answers) for row in passed]
    covered = [i.low <= rate <= i.high for i in intervals if i.low is not None and i.high is not None]
    assert 0.94 <= np.mean(covered) <= 0.99


def test_the_rule_of_three_is_three_over_n_and_just_above_the_exact_bound() -> None:
    for n in (10, 40, 1000):
        exact = brentq(lambda rate, n=n: (1 - rate) ** n - 0.05, 0, 1)
        assert rule_of_three(n) == pytest.approx(3 / n, rel=2e-3)
        assert exact <= rule_of_three(n) <= 1.2 * exact
    assert rule_of_three(1) == 1.0


@given(st.integers(1, 400), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_a_quantile_is_the_nearest_rank_that_numpy_calls_inverted_cdf(n: int, q: float) -> None:
    values = np.arange(n, dtype=np.float64)
    assert float(np.quantile(values, q, method="inverted_cdf")) == quantile(values, q)


@pytest.mark.parametrize("q", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("n", [1, 5, 6, 40, 71, 72, 100, 367, 368, 500])
def test_bounds_of_a_quantile_are_the_tightest_ranks_that_keep_each_tail(n: int, q: float) -> None:
    ranks = np.arange(1, n + 1, dtype=np.float64)
    below = binomial_cdf(n, q)
    lows = [rank for rank in range(1, n + 1) if below[rank - 1] <= 0.025]
    highs = [rank for rank in range(1, n + 1) if 1 - below[rank - 1] <= 0.025]
    interval = quantile_interval(ranks, q)
    assert max(lows, default=None) == interval.low
    assert min(highs, default=None) == interval.high


@pytest.mark.parametrize(("q", "needed"), [(0.5, 6), (0.9, 36), (0.95, 72), (0.99, 368)])
def test_a_two_sided_bound_exists_from_exactly_the_documented_number_of_samples(q: float, needed: int) -> None:
    assert needed == samples_for_quantile(q)
    assert quantile_interval(np.arange(needed - 1.0), q).high is None
    enough = quantile_interval(np.arange(float(needed)), q)
    assert enough.low is not None
    assert enough.high is not None


@given(st.integers(1, 3000), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_a_quantile_lies_inside_its_interval(n: int, q: float) -> None:
    interval = quantile_interval(np.arange(n, dtype=np.float64), q)
    assert interval.low is None or interval.low <= interval.value
    assert interval.high is None or interval.value <= interval.high


@pytest.mark.parametrize(("q", "n"), [(0.5, 40), (0.95, 100), (0.99, 400)])
def test_the_interval_of_a_quantile_covers_the_truth_at_its_level(q: float, n: int) -> None:
    rng = np.random.default_rng(20260101)
    truth = math.exp(0.6 * _normal_quantile(q))
    runs = 1500
    covered = 0
    for sample in np.sort(rng.lognormal(0, 0.6, (runs, n)), axis=1):
        interval = quantile_interval(sample, q)
        assert interval.low is not None
        assert interval.high is not None
        covered += interval.low <= truth <= interval.high
    assert 0.94 <= covered / runs <= 0.995


def test_wilson_covers_the_truth_where_the_normal_approximation_does_not() -> None:
    n, p = 20, 0.97
    covered = 0.0
    for passed in range(n + 1):
        interval = wilson(passed, n)
        assert interval.low is not None
        assert interval.high is not None
        if interval.low <= p <= interval.high:
            covered += math.comb(n, passed) * p**passed * (1 - p) ** (n - passed)
    assert covered >= 0.95


def test_a_ratio_over_ones_with_one_request_a_cluster_is_the_t_interval_of_the_mean() -> None:
    values = np.array([1.0, 2.0, 4.0, 7.0, 11.0])
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    interval = ratio_interval(values, np.ones(5), np.arange(5))
    assert interval is not None
    assert (values.mean(), expected.low, expected.high) == pytest.approx((interval.value, interval.low, interval.high))


def test_asking_the_same_prompt_again_does_not_narrow_a_ratio() -> None:
    values, names = np.array([1.0, 2.0, 4.0]), np.array(["x", "y", "z"], dtype=object)
    once = ratio_interval(values, np.ones(3), names)
    thrice = ratio_interval(np.tile(values, 3), np.ones(9), np.tile(names, 3))
    assert once is not None
    assert thrice is not None
    assert (once.low, once.high) == pytest.approx((thrice.low, thrice.high))


def test_a_ratio_over_one_cluster_has_no_bounds_and_over_nothing_no_value() -> None:
    one = ratio_interval(np.array([1.0, 3.0]), np.ones(2), np.array(["x", "x"], dtype=object))
    assert one is not None
    assert (2.0, None, None) == (one.value, one.low, one.high)
    assert ratio_interval(np.array([1.0]), np.zeros(1), np.array(["x"], dtype=object)) is None
    assert ratio_interval(np.array([]), np.array([]), np.array([], dtype=object)) is None


def test_the_ratio_interval_covers_the_truth_when_clusters_differ() -> None:
    rng = np.random.default_rng(7)
    clusters = np.repeat(np.arange(30), 4)
    runs, covered = 800, 0
    for _ in range(runs):
        costs = 5 + np.repeat(rng.normal(0, 2, 30), 4) + rng.normal(0, 0.5, 120)
        interval = ratio_interval(costs, np.ones(120), clusters)
        assert interval is not None
        assert interval.low is not None
        assert interval.high is not None
        covered += interval.low <= 5 <= interval.high
    assert 0.93 <= covered / runs <= 0.97


def test_a_few_large_clusters_among_small_ones_are_as_few_as_they_are() -> None:
    """As if all were alike, the rate's interval covers 69 % and the ratio's 74 %."""
    sizes, rng, runs, covered = np.array([30, 20, *[1] * 30]), np.random.default_rng(9), 500, np.zeros(2)
    codes = np.repeat(np.arange(32), sizes)
    assert 6400 / 1330 == pytest.approx(effective_clusters(sizes))
    for _ in range(runs):
        rate = clustered_rate(rng.binomial(sizes, rng.beta(0.8, 0.2, 32)), sizes)
        ratio = ratio_interval(0.8 + rng.normal(0, 1, 32)[codes] + rng.normal(0, 0.3, 80), np.ones(80), codes)
        assert ratio is not None
        bounds = [(each.low, each.high) for each in (rate, ratio)]
        covered += [low is not None and high is not None and low <= 0.8 <= high for low, high in bounds]
    assert (covered / runs >= 0.93).all()


def test_cluster_codes_number_names_as_they_appear() -> None:
    assert [0, 1, 0, 2] == cluster_codes(np.array(["b", "a", "b", "c"], dtype=object)).tolist()


def _normal_quantile(q: float) -> float:
    return float(brentq(lambda x: 0.5 * math.erfc(-x / math.sqrt(2)) - q, -9, 9))
