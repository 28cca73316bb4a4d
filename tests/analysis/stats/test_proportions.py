"""Proportions, their differences, pass@k: published tables, scipy and statsmodels, and the coverage they promise."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import betaincinv
from scipy.stats import binom, binomtest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep

from harness.analysis.stats.proportions import (
    Events,
    clustered_difference,
    clustered_rate,
    effect_of,
    events_interval,
    mcnemar_mid_p,
    newcombe_paired,
    paired_difference,
    pass_all_k,
    pass_at_k,
    rule_of_three,
    square_and_add,
    wilson,
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
        # Newcombe 1998, Statistics in Medicine 17:873, table II, method 10: independent arms
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
    ],
)
def test_adding_the_squares_of_two_wilson_intervals_is_the_published_independent_interval(
    first: tuple[int, int], second: tuple[int, int], low: float, high: float
) -> None:
    one, two = first[0] / first[1], second[0] / second[1]
    bounds = [wilson(*arm) for arm in (first, second)]
    reaches = [(each.low or 0.0, each.high or 1.0) for each in bounds]
    assert (low, high) == pytest.approx(square_and_add(one, reaches[0], two, reaches[1], 0.0), abs=5e-5)
    expected = confint_proportions_2indep(*first, *second, method="newcomb", compare="diff")
    assert expected == pytest.approx(square_and_add(one, reaches[0], two, reaches[1], 0.0), abs=1e-9)


def test_events_of_one_trial_a_cluster_are_outcomes() -> None:
    rng = np.random.default_rng(1)
    candidate, baseline = (rng.random(40) < 0.3 for _ in range(2))
    ones, codes = np.ones(40), np.arange(40)
    outcomes = clustered_difference(candidate.astype(float), baseline.astype(float), codes, answers=40)
    arms = [Events(events=each.astype(np.int64), trials=ones) for each in (candidate, baseline)]
    assert (outcomes.low, outcomes.high) == pytest.approx(events_interval(*arms)(0.95))


def test_attempts_of_one_prompt_say_little_about_others() -> None:
    """30 of 120 attempts throttled: all of ten prompts', or one of three of each."""
    none = Events(events=np.zeros(40), trials=np.full(40, 3))
    few = Events(events=np.where(np.arange(40) < 10, 3, 0), trials=np.full(40, 3))
    each = Events(events=np.where(np.arange(40) < 30, 1, 0), trials=np.full(40, 3))
    assert few.share == each.share == 0.25
    widths = [np.ptp(events_interval(arm, none)(0.95)) for arm in (few, each)]
    assert widths[0] > 1.2 * widths[1]


def test_the_mid_p_is_the_published_one() -> None:
    # Fagerland, Lydersen & Laake 2013, BMC Medical Research Methodology 13:91, tables 1 and 2
    assert mcnemar_mid_p(1, 7) == pytest.approx(0.039, abs=5e-4)
    assert mcnemar_mid_p(6, 16) == pytest.approx(0.035, abs=5e-4)
    assert mcnemar_mid_p(0, 0) == 1.0


@pytest.mark.parametrize("discordant", [1, 2, 9, 40, 1001, 1_000_000])
@pytest.mark.parametrize("errors", [0, 0.5, 2, 6])
def test_the_mid_p_is_that_of_scipys_binomial_distribution(discordant: int, errors: float) -> None:
    fewer = max(0, round(discordant / 2 - errors * math.sqrt(discordant) / 2))
    both_tails = 2 * binom.cdf(fewer, discordant, 0.5) - binom.pmf(fewer, discordant, 0.5)
    assert min(1, both_tails) == pytest.approx(mcnemar_mid_p(fewer, discordant - fewer), rel=1e-12)


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


@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 40))
def test_an_inverted_p_value_agrees_with_its_interval(n: int, x1: int, x2: int) -> None:
    arms = [Events(events=(np.arange(n) < x).astype(np.int64), trials=np.ones(n)) for x in (x1, x2)]
    effect = effect_of(arms[0].share - arms[1].share, events_interval(*arms))
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
    assert once.low is not None
    assert once.high is not None
    assert often.low is not None
    assert often.high is not None
    assert often.low <= once.low
    assert once.high <= often.high
    assert (once.low, once.high) == pytest.approx((often.low, often.high), abs=5e-3)  # the t quantile alone


def test_where_all_pass_a_prompt_is_one_answer_however_often_it_was_asked() -> None:
    """No error can be estimated then: Newcombe's interval of the prompts, 1.96²/(20 + 1.96²), and not a wider one."""
    everyone, most = np.ones(20), np.array([1.0] * 16 + [0.0] * 4)
    again = clustered_difference(everyone, everyone, np.arange(20), answers=60)
    assert (-0.1611, 0.1611) == pytest.approx((again.low, again.high), abs=5e-5)
    assert newcombe_paired(20, 0, 0, 0)[1:] == pytest.approx((again.low, again.high))
    assert clustered_rate(everyone, np.ones(20), answers=60) == wilson(20, 20)
    apart = clustered_difference(everyone, most, np.arange(20), answers=20)
    expected = confint_proportions_2indep(20, 20, 16, 20, method="newcomb", compare="diff")
    assert expected == pytest.approx((apart.low, apart.high), abs=1e-9)


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


def test_no_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a prompt"):
        clustered_difference(np.array([]), np.array([]), np.array([], dtype=np.int64), answers=0)


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


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_every_choice_of_k_answers_counts_once(k: int) -> None:
    answers, passed = np.full(6, 5), np.arange(6)
    for at, right in enumerate(passed):
        choices = list(combinations([1] * right + [0] * (5 - right), k))
        assert np.mean([any(choice) for choice in choices]) == pytest.approx(pass_at_k(answers, passed, k)[at])
        assert np.mean([all(choice) for choice in choices]) == pytest.approx(pass_all_k(answers, passed, k)[at])


def test_with_fewer_answers_than_k_there_is_none() -> None:
    assert np.isnan(pass_at_k(np.array([2]), np.array([2]), 3)).all()
    assert np.isnan(pass_all_k(np.array([2]), np.array([2]), 3)).all()


@pytest.mark.parametrize(("n", "c", "k"), [(200, 3, 1), (200, 3, 10), (200, 60, 100), (1000, 1, 999)])
def test_pass_at_k_is_the_product_of_the_paper_that_proposed_it(n: int, c: int, k: int) -> None:
    """Chen et al. 2021, figure 3: 1 − Π (1 − k/i) for i from n − c + 1 to n."""
    expected = 1.0 if n - c < k else 1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1))
    assert pass_at_k(np.array([n]), np.array([c]), k)[0] == pytest.approx(float(expected))
