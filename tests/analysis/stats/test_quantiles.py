"""Quantiles by nearest rank and their intervals, against numpy and the binomial distribution term by term."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import binom

from harness.analysis.columns import Codes, Floats
from harness.analysis.stats.clusters import Dependence, DesignEffect, ascending
from harness.analysis.stats.interval import Interval
from harness.analysis.stats.quantiles import (
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
def test_ranks_are_near_those_of_the_binomial_distribution_and_never_inside_them(n: int) -> None:
    """Of many values the rank is within 1/32 of the distance from the quantile's own."""
    for q in (0.5, 0.9, 0.95, 0.99):
        interval = quantile_interval(np.arange(1.0, n + 1), q)
        low, high = int(binom.ppf(0.025, n, q)), int(binom.ppf(0.975, n, q)) + 1
        middle = math.ceil(n * q)
        if interval.low is None:
            assert low < 1
        else:
            assert 0 <= low - interval.low <= (middle - low) / 31
        if interval.high is None:
            assert high > n
        else:
            assert 0 <= interval.high - high <= (high - middle) / 31


def test_values_are_put_in_order_as_argsort_does() -> None:
    values = np.random.default_rng(5).normal(size=1000)
    assert np.argsort(values).tolist() == ascending(values).tolist()
    alike = ascending(np.full(160, 0.5))
    assert list(range(160)) == sorted(alike.tolist())
    assert np.bincount(alike[:80] // 10).tolist() == pytest.approx([5] * 16, abs=1)  # of any time as many


def interval_of(values: Floats, prompts: Codes, q: float) -> Interval:
    """Of answers due one a second."""
    order = np.argsort(values)
    effect = DesignEffect(Dependence.of(prompts, np.arange(float(len(values)))).select(order))
    return quantile_interval(values[order], q, effect)


def covered(q: float, rounds: int, draw: Callable[[np.random.Generator], tuple[Floats, Codes]], truth: float) -> float:
    rng, held = np.random.default_rng(11), 0
    for _ in range(rounds):
        interval = interval_of(*draw(rng), q)
        held += (interval.low is None or interval.low <= truth) and (interval.high is None or truth <= interval.high)
    return held / rounds


def ten_times(rng: np.random.Generator) -> tuple[Floats, Codes]:
    """50 prompts asked ten times; half of the variance is the prompt's. The median is 1."""
    prompts = np.tile(np.arange(50), 10)
    return np.exp(0.4 * (rng.normal(size=50)[prompts] + rng.normal(size=500))), prompts


@pytest.mark.parametrize(("q", "truth"), [(0.5, 1.0), (0.95, math.exp(0.4 * math.sqrt(2) * 1.6449))])
def test_repeats_are_not_independent_and_the_interval_knows(q: float, truth: float) -> None:
    """As independent values the same intervals hold the truth in about 70 and 75 %."""
    assert covered(q, 200, ten_times, truth) >= 0.93


def test_stalls_are_not_independent_and_the_interval_knows() -> None:
    """A minute of every ten is slow, at a random place: the p95 is that of the slow minutes."""

    def stalled(rng: np.random.Generator) -> tuple[Floats, Codes]:
        starts = 600 * np.arange(4) + rng.integers(0, 540, 4)
        at = np.arange(2400)
        slow = ((at >= starts[:, None]) & (at < starts[:, None] + 60)).any(axis=0)
        return rng.exponential(size=2400) + 5 * slow, at

    truth = 5 + math.log(2)  # a tenth is slow, and half of that is above
    assert covered(0.95, 100, stalled, truth) >= 0.93


def test_a_few_prompts_do_not_show_a_tail_however_often_they_are_asked() -> None:
    rng = np.random.default_rng(3)
    for prompts, bounded in ((2, (False, False)), (6, (True, False)), (24, (True, True))):
        values, codes = rng.exponential(size=480), np.arange(480) % prompts
        found = tuple(interval_of(values, codes, q).high is not None for q in (0.5, 0.95))
        assert bounded == found


def test_one_prompt_asked_often_is_measured_for_itself() -> None:
    interval = interval_of(np.random.default_rng(4).exponential(size=400), np.zeros(400, dtype=np.int64), 0.95)
    assert interval.low is not None
    assert interval.high is not None
