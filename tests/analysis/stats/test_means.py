"""The mean difference against scipy and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import ttest_1samp

from harness.analysis.stats.means import mean_difference


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
