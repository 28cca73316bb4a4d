"""Quantiles between order statistics, and the bootstrap of their ratios: against scipy, numpy and copies."""

from __future__ import annotations

import math
import tracemalloc
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import bootstrap

from harness.analysis.stats.quantiles import (
    _Arm,
    is_bounded,
    quantile,
    quantile_interval,
    quantile_ratios,
    resamples_for,
    samples_for_quantile,
)


@pytest.mark.parametrize(("clusters", "repeats"), [(1, 1), (2, 1), (5, 2), (40, 3)])
def test_a_weighted_quantile_is_that_of_the_copies_it_stands_for(clusters: int, repeats: int) -> None:
    rng = np.random.default_rng(0)
    values, codes = rng.lognormal(size=clusters * repeats), np.repeat(np.arange(clusters), repeats)
    quantiles = (0.05, 0.5, 0.95, 0.99)
    weights = rng.multinomial(clusters, np.full(clusters, 1 / clusters), 30).astype(float)
    found = _Arm(values, codes, clusters).quantiles(weights, quantiles)
    for row, counts in enumerate(weights):
        drawn, times = np.unique(np.repeat(values, counts[codes].astype(int)), return_counts=True)
        middles = times.cumsum() - times / 2
        for at, q in enumerate(quantiles):
            assert np.interp(q * times.sum(), middles, drawn) == pytest.approx(found[at, row])


def test_of_one_copy_each_it_is_numpys_hazen() -> None:
    values = np.random.default_rng(1).lognormal(size=41)
    found = _Arm(values, np.arange(41), 41).quantiles(np.ones((1, 41)), (0.1, 0.5, 0.95))[:, 0]
    assert np.quantile(values, (0.1, 0.5, 0.95), method="hazen") == pytest.approx(found)


def test_slices_of_many_values_give_the_same_quantiles() -> None:
    rng = np.random.default_rng(6)
    codes = rng.integers(0, 50, 30_000)
    values = rng.lognormal(size=30_000) * (1 + codes / 100)
    weights = rng.multinomial(50, np.full(50, 1 / 50), 20).astype(float)
    quantiles = (0.5, 0.95, 0.99)
    found = _Arm(values, codes, 50).quantiles(weights, quantiles)
    for row, counts in enumerate(weights):
        copies = np.repeat(values, counts[codes].astype(int))
        assert np.quantile(copies, quantiles, method="hazen") == pytest.approx(found[:, row], rel=5e-3)


def test_the_interval_agrees_with_scipys_paired_percentile_bootstrap() -> None:
    rng = np.random.default_rng(2)
    old = rng.lognormal(size=150)
    new = old * rng.lognormal(0.1, 0.3, 150)

    def ratio(one: np.ndarray, other: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.log(
            np.quantile(one, 0.5, method="hazen", axis=axis) / np.quantile(other, 0.5, method="hazen", axis=axis)
        )

    expected = bootstrap(
        (new, old), ratio, paired=True, method="percentile", n_resamples=4000, rng=np.random.default_rng(3)
    ).confidence_interval
    codes = np.arange(150)
    (effect,) = quantile_ratios((new, codes), (old, codes), [0.5], clusters=150, seed=1, resamples=4000)
    assert (expected.low, expected.high) == pytest.approx((effect.low, effect.high), abs=0.015)


def test_the_same_seed_gives_the_same_interval_and_equal_arms_none() -> None:
    values, codes = np.random.default_rng(4).lognormal(size=100), np.arange(100)
    one, other = (quantile_ratios((values, codes), (values * 1.2, codes), [0.5], clusters=100, seed=7) for _ in "ab")
    assert one == other
    assert one[0].estimate == pytest.approx(-math.log(1.2))
    (same,) = quantile_ratios((values, codes), (values, codes), [0.5], clusters=100, seed=7)
    assert (0.0, 0.0, 0.0, 1.0) == (same.estimate, same.low, same.high, same.p_value)


@pytest.mark.parametrize(
    ("q", "samples", "clusters", "bounded"),
    [(0.95, 71, 71, False), (0.95, 72, 72, True), (0.95, 72, 24, True), (0.95, 72, 23, False), (0.99, 367, 367, False),
     (0.99, 368, 368, True), (0.5, 20, 20, True), (0.5, 6, 6, True), (0.5, 60, 5, False)],
)  # fmt: skip
def test_too_few_samples_or_prompts_give_no_bounds(q: float, samples: int, clusters: int, bounded: bool) -> None:
    assert bounded is is_bounded(q, samples, clusters)
    codes = np.arange(samples) % clusters
    values = np.random.default_rng(5).lognormal(size=samples)
    (effect,) = quantile_ratios((values, codes), (values, codes), [q], clusters=clusters, seed=1, resamples=50)
    assert bounded is (effect.low is not None)
    assert bounded is (effect.p_value is not None)


def test_an_absolute_difference_keeps_its_unit() -> None:
    values, codes = np.linspace(1, 2, 101), np.arange(101)
    (effect,) = quantile_ratios(
        (values + 0.25, codes), (values, codes), [0.5], clusters=101, seed=1, logarithm=False, resamples=200
    )
    assert 0.25 == pytest.approx(effect.estimate)


def test_a_large_family_gets_resamples_enough_to_stay_significant() -> None:
    assert 2000 == resamples_for(1)
    for family in (5, 60):
        assert 2 / (resamples_for(family) + 1) * family < 0.01


def test_an_empty_arm_is_refused() -> None:
    nothing = np.array([]), np.array([], dtype=np.int64)
    with pytest.raises(ValueError, match="values in both arms"):
        quantile_ratios(nothing, nothing, [0.5], clusters=1, seed=1)


@pytest.mark.parametrize(("prompts", "repeats"), [(3, 20), (5, 12), (6, 2), (8, 1)])
def test_few_prompts_say_nothing_however_often_they_are_asked(prompts: int, repeats: int) -> None:
    rng, rounds, wrong = np.random.default_rng(8), 200, 0
    codes = np.repeat(np.arange(prompts), repeats)
    for seed in range(rounds):
        arms = [np.exp(rng.normal(0, 0.2, prompts)[codes] + rng.normal(0, 0.3, len(codes))) for _ in "ab"]
        (effect,) = quantile_ratios(
            (arms[0], codes), (arms[1], codes), [0.5], clusters=prompts, seed=seed, resamples=500
        )
        wrong += effect.p_value is not None and effect.p_value < 0.01
    assert wrong / rounds <= 0.02


def test_one_large_group_among_single_prompts_gives_no_bounds() -> None:
    codes = np.repeat(np.arange(21), [80] + [1] * 20)
    values = np.random.default_rng(9).lognormal(size=100)
    (effect,) = quantile_ratios((values, codes), (values, codes), [0.5], clusters=21, seed=1, resamples=50)
    assert effect.low is None


def test_many_prompts_asked_once_take_no_more_memory_than_many_answers() -> None:
    """As a full table of slices × prompts, 20,000 prompts would be 655 MB an arm."""
    values, codes = np.random.default_rng(10).lognormal(size=20_000), np.arange(20_000)
    tracemalloc.start()
    try:
        quantile_ratios((values, codes), (1.1 * values, codes), [0.95], clusters=20_000, seed=1, resamples=8)
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()


def binomial_cdf(n: int, q: float) -> list[float]:
    """P(Bin(n, q) ≤ k) for k = 0 … n, term by term."""
    return list(accumulate(math.comb(n, k) * q**k * (1 - q) ** (n - k) for k in range(n + 1)))


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


def _normal_quantile(q: float) -> float:
    return float(brentq(lambda x: 0.5 * math.erfc(-x / math.sqrt(2)) - q, -9, 9))
