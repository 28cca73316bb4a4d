"""Means and ratios over clusters, against scipy, statsmodels and the coverage they promise."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import ttest_1samp

from harness.analysis.stats.means import cluster_codes, effective_clusters, mean_difference, ratio_interval
from harness.analysis.stats.proportions import clustered_rate


def test_one_prompt_a_cluster_is_the_paired_t_test() -> None:
    values = np.random.default_rng(1).normal(0.2, 1, 25)
    expected = ttest_1samp(values, 0)
    bounds = expected.confidence_interval(0.95)
    effect = mean_difference(values, np.arange(25))
    assert "paired-t" == effect.method
    assert (values.mean(), bounds.low, bounds.high, expected.pvalue) == pytest.approx(
        (effect.estimate, effect.low, effect.high, effect.p_value)
    )


def test_groups_give_the_cluster_robust_error_of_statsmodels() -> None:
    rng = np.random.default_rng(2)
    codes = np.repeat(np.arange(12), 4)
    values = rng.normal(0.1, 1, 48) + rng.normal(0, 1, 12)[codes]
    # With one regressor statsmodels' small-sample factor, C/(C−1)·(n−1)/(n−1), is ours.
    fit = sm.OLS(values, np.ones(48)).fit(cov_type="cluster", cov_kwds={"groups": codes}, use_t=True)
    effect = mean_difference(values, codes)
    assert "cluster-t" == effect.method
    assert (*fit.conf_int()[0], fit.pvalues[0]) == pytest.approx((effect.low, effect.high, effect.p_value))


def test_a_few_large_groups_among_small_ones_are_as_few_as_they_are() -> None:
    """As if all groups were alike, the interval covers 75 %."""
    sizes, rng, rounds, covered = [30, 20] + [1] * 30, np.random.default_rng(3), 400, 0
    codes = np.repeat(np.arange(32), sizes)
    for _ in range(rounds):
        effect = mean_difference(rng.normal(0, 1, 32)[codes] + rng.normal(0, 0.3, 80), codes)
        assert effect.low is not None
        assert effect.high is not None
        covered += effect.low <= 0 <= effect.high
    assert 0.93 <= covered / rounds


def test_differences_that_are_all_the_same_have_no_error() -> None:
    same = mean_difference(np.full(9, 0.25), np.arange(9))
    none = mean_difference(np.zeros(9), np.arange(9))
    assert (0.25, 0.25, 0.0) == (same.low, same.high, same.p_value)
    assert (0.0, 0.0, 1.0) == (none.low, none.high, none.p_value)


def test_one_cluster_has_no_bounds_and_none_no_mean() -> None:
    effect = mean_difference(np.array([1.0, 2.0]), np.zeros(2, dtype=np.int64))
    assert (1.5, None, None, None) == (effect.estimate, effect.low, effect.high, effect.p_value)
    with pytest.raises(ValueError, match="needs a difference"):
        mean_difference(np.array([]), np.array([], dtype=np.int64))


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
