"""Quantiles between order statistics, against numpy and the binomial distribution term by term."""

from __future__ import annotations

import math
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import binom

from harness.analysis.stats.quantiles import (
    _binomial_quantile,
    quantile,
    quantile_interval,
    samples_for_quantile,
)


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


@pytest.mark.parametrize("n", [1, 2, 39, 72, 368, 10_000])
def test_ranks_are_those_of_the_binomial_distribution(n: int) -> None:
    for q in (0.5, 0.9, 0.95, 0.99):
        expected = [int(binom.ppf(p, n, q)) for p in (0.025, 0.975)]
        assert expected == [_binomial_quantile(p, n, q) for p in (0.025, 0.975)]
