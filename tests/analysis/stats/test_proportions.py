"""Differences of proportions: published tables, statsmodels, and the promise of the clustered interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betaincinv
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep

from harness.analysis.stats.proportions import (
    clustered_difference,
    independent_difference,
    mcnemar_mid_p,
    newcombe_paired,
    paired_difference,
)

COUNTS = st.integers(0, 60)


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17:2635, table III, method 10
        ((36, 12, 2, 0), 0.0569, 0.3404),
        ((20, 12, 2, 16), 0.0562, 0.3292),
        ((2, 12, 2, 34), 0.0537, 0.3421),
        ((18, 14, 0, 18), 0.1441, 0.3963),
        # Fagerland, Lydersen & Laake 2014, Statistics in Medicine 33:2850: airway hyper-responsiveness
        ((1, 1, 7, 12), -0.507, -0.026),
        # Altman et al. 2000, Statistics with Confidence, table 6.2
        ((14, 5, 0, 22), 0.011, 0.226),
    ],
)
def test_the_paired_interval_is_the_published_one(table: tuple[int, int, int, int], low: float, high: float) -> None:
    digits = 5e-4 if len(str(low).lstrip("-")) < 6 else 5e-5
    assert (low, high) == pytest.approx(newcombe_paired(*table)[1:], abs=digits)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17:873, table II, method 10
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ],
)
def test_the_independent_interval_is_the_published_one(
    first: tuple[int, int], second: tuple[int, int], low: float, high: float
) -> None:
    effect = independent_difference(*first, *second)
    assert (low, high) == pytest.approx((effect.low, effect.high), abs=5e-5)
    expected = confint_proportions_2indep(*first, *second, method="newcomb", compare="diff")
    assert expected == pytest.approx((effect.low, effect.high), abs=1e-9)


def test_the_mid_p_is_the_published_one() -> None:
    # Fagerland, Lydersen & Laake 2013, BMC Medical Research Methodology 13:91, tables 1 and 2
    assert mcnemar_mid_p(1, 7) == pytest.approx(0.039, abs=5e-4)
    assert mcnemar_mid_p(6, 16) == pytest.approx(0.035, abs=5e-4)
    assert mcnemar_mid_p(0, 0) == 1.0


@given(COUNTS, COUNTS)
def test_the_mid_p_lies_below_the_exact_one_by_the_point_probability(b: int, c: int) -> None:
    exact = mcnemar(np.array([[5, b], [c, 5]]), exact=True).pvalue
    mid = mcnemar_mid_p(b, c)
    assert mid == mcnemar_mid_p(c, b)
    assert mid <= exact + 1e-12
    assert 0 < mid <= 1


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_swapping_the_arms_or_counting_failures_turns_the_interval_round(a: int, b: int, c: int, d: int) -> None:
    if a + b + c + d == 0:
        with pytest.raises(ValueError, match="at least one pair"):
            newcombe_paired(a, b, c, d)
        return
    estimate, low, high = newcombe_paired(a, b, c, d)
    assert -1 <= low <= estimate <= high <= 1
    assert (-estimate, -high, -low) == pytest.approx(newcombe_paired(a, c, b, d))
    assert (-estimate, -high, -low) == pytest.approx(newcombe_paired(d, c, b, a))


def test_a_table_becomes_counts() -> None:
    candidate, baseline = np.array([1.0] * 13 + [0] * 8), np.array([1.0] * 1 + [0] * 12 + [1] * 7 + [0])
    effect = paired_difference(candidate, baseline)
    assert newcombe_paired(1, 12, 7, 1) == (effect.estimate, effect.low, effect.high)
    assert mcnemar_mid_p(12, 7) == effect.p_value


@given(st.integers(1, 40), st.integers(0, 40), st.integers(1, 40), st.integers(0, 40))
def test_an_inverted_p_value_agrees_with_its_interval(n1: int, x1: int, n2: int, x2: int) -> None:
    effect = independent_difference(min(x1, n1), n1, min(x2, n2), n2)
    assert effect.p_value is not None
    assert effect.low is not None
    assert effect.high is not None
    assert (effect.p_value < 0.05) == (effect.low > 0 or effect.high < 0)


def test_asking_again_without_news_does_not_narrow_the_interval() -> None:
    outcome = np.array([1.0] * 30 + [0.0] * 10)
    moved = np.roll(outcome, 4)
    codes = np.arange(40)
    once = clustered_difference(moved, outcome, codes, answers=40)
    often = clustered_difference(moved, outcome, codes, answers=400)
    assert (once.low, once.high) == (often.low, often.high)


def test_without_groups_and_repeats_it_is_nearly_newcombes_interval() -> None:
    rng = np.random.default_rng(3)
    candidate, baseline = (rng.binomial(1, p, 200).astype(float) for p in (0.8, 0.75))
    plain = paired_difference(candidate, baseline)
    clustered = clustered_difference(candidate, baseline, np.arange(200), answers=200)
    assert (plain.estimate, plain.low, plain.high) == pytest.approx(
        (clustered.estimate, clustered.low, clustered.high), abs=5e-3
    )


@pytest.mark.parametrize(("prompts", "repeats", "group"), [(20, 10, 1), (20, 3, 4), (60, 3, 5)])
def test_the_clustered_interval_covers_where_a_t_interval_does_not(prompts: int, repeats: int, group: int) -> None:
    rng, rounds, covered = np.random.default_rng(11), 250, 0
    codes = np.arange(prompts) // group
    for _ in range(rounds):
        place = np.repeat(rng.random(prompts // group), group)
        new, old = (rng.binomial(repeats, betaincinv(p * 0.67, (1 - p) * 0.67, place)) / repeats for p in (0.80, 0.85))
        effect = clustered_difference(new, old, codes, answers=prompts * repeats)
        assert effect.low is not None
        assert effect.high is not None
        covered += effect.low <= -0.05 <= effect.high
    assert covered / rounds >= 0.93


def test_no_prompt_and_no_trial_are_refused() -> None:
    with pytest.raises(ValueError, match="needs a prompt"):
        clustered_difference(np.array([]), np.array([]), np.array([], dtype=np.int64), answers=0)
    with pytest.raises(ValueError, match="needs a trial"):
        independent_difference(0, 0, 0, 5)


@pytest.mark.parametrize("sizes", [[30, 20] + [1] * 30, [20, 10, 5, 5] + [1] * 10])
def test_a_few_large_groups_among_small_ones_are_as_few_as_they_are(sizes: list[int]) -> None:
    """As if all groups were alike, the interval covers 74 to 87 %."""
    rng, rounds, covered = np.random.default_rng(12), 300, 0
    codes = np.repeat(np.arange(len(sizes)), sizes)
    for _ in range(rounds):
        groups = rng.beta(0.85, 0.15, (2, len(sizes)))
        arms = [rng.binomial(1, rate[codes]).astype(float) for rate in groups]
        effect = clustered_difference(arms[0], arms[1], codes, answers=len(codes))
        assert effect.low is not None
        assert effect.high is not None
        covered += effect.low <= 0 <= effect.high
    assert 0.95 <= covered / rounds
