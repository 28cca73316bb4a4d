"""Ratios and differences of totals against the jackknife written out, and where the data give no bound."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t, ttest_rel

from harness.analysis.stats.totals import compare_quotients, compare_totals, effective_totals

N = 12
OLD = np.random.default_rng(1).lognormal(-6, 0.8, N)
NEW = OLD * np.random.default_rng(2).lognormal(0.2, 0.3, N)
ALONE = np.arange(N)
GROUPS = np.array([0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 4, 5])


@pytest.mark.parametrize("clusters", [ALONE, GROUPS])
def test_the_error_is_that_of_leaving_out_each_cluster_in_turn(clusters: np.ndarray) -> None:
    effect = compare_totals(NEW, OLD, clusters)
    whole = math.log(NEW.sum() / OLD.sum())
    left_out = [math.log(NEW[clusters != c].sum() / OLD[clusters != c].sum()) for c in range(clusters.max() + 1)]
    count = len(left_out)
    error = math.sqrt((count - 1) / count * sum((each - whole) ** 2 for each in left_out))
    shares = np.array([(NEW[clusters == c].sum() / NEW.sum() + OLD[clusters == c].sum() / OLD.sum()) / 2
                       for c in range(count)])  # fmt: skip
    worth = 1 / (shares**2).sum()
    assert pytest.approx(worth) == effective_totals(NEW, OLD, clusters)
    reach = t.ppf(0.975, worth - 1) * error
    assert (whole, whole - reach, whole + reach) == pytest.approx((effect.estimate, effect.low, effect.high))
    assert pytest.approx(2 * t.sf(abs(whole) / error, worth - 1)) == effect.p_value
    assert "cluster-jackknife" == effect.method


def test_costs_of_one_size_take_the_paired_t_test_in_dollars() -> None:
    """With nearly the same cost everywhere, shares are equal and the jackknife of a mean is its standard error."""
    old = 1 + 1e-6 * OLD
    new = old + 1e-3 * np.random.default_rng(3).normal(size=N)
    effect, test = compare_totals(new, old, ALONE, logarithm=False), ttest_rel(new, old)
    bounds = test.confidence_interval(0.95)
    assert (bounds.low, bounds.high, test.pvalue) == pytest.approx((effect.low, effect.high, effect.p_value), rel=1e-4)


def test_the_interval_excludes_no_difference_where_its_own_p_value_is_below_5_percent() -> None:
    rng = np.random.default_rng(4)
    for _ in range(100):
        old = rng.lognormal(0, 1, 30)
        effect = compare_totals(old * rng.lognormal(0.15, 0.4, 30), old, np.arange(30))
        assert effect.low is not None
        assert effect.high is not None
        assert effect.p_value is not None
        assert (effect.p_value < 0.05) == (effect.low > 0 or effect.high < 0)


def test_few_dear_prompts_are_few_degrees_of_freedom() -> None:
    dear = np.where(np.arange(100) < 10, 20.0, 1.0)
    assert pytest.approx(290**2 / (10 * 400 + 90)) == effective_totals(dear, dear, np.arange(100))
    assert 20.6 == pytest.approx(effective_totals(dear, dear, np.arange(100)), abs=0.1)


def test_a_price_that_rose_has_no_error_and_equal_bills_no_difference() -> None:
    rise = compare_totals(1.1 * OLD, OLD, ALONE)
    assert (math.log(1.1),) * 3 + (0.0,) == pytest.approx((rise.estimate, rise.low, rise.high, rise.p_value))
    same = compare_totals(OLD[::-1].copy(), OLD[::-1].copy(), ALONE)
    assert (0.0, 0.0, 0.0, 1.0) == (same.estimate, same.low, same.high, same.p_value)
    dollars = compare_totals(OLD, OLD, ALONE, logarithm=False)
    assert (0.0, 0.0, 0.0, 1.0) == (dollars.estimate, dollars.low, dollars.high, dollars.p_value)


@pytest.mark.parametrize("logarithm", [True, False])
def test_one_cluster_gives_no_bounds(logarithm: bool) -> None:
    effect = compare_totals(NEW, OLD, np.zeros(N, np.int64), logarithm=logarithm)
    assert (None, None, None) == (effect.low, effect.high, effect.p_value)
    assert effect.estimate > 0


def test_a_prompt_that_is_the_whole_bill_gives_no_bounds() -> None:
    bill = np.array([5.0, 0, 0])
    assert compare_totals(2 * bill, bill, np.arange(3)).low is None


def test_nothing_to_compare_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="needs a prompt"):
        compare_totals(NEW[:0], OLD[:0], ALONE[:0])
    with pytest.raises(ValueError, match="totals above 0"):
        compare_totals(NEW, np.zeros(N), ALONE)
    assert compare_totals(np.zeros(N), OLD, ALONE, logarithm=False).estimate < 0


def test_a_quotient_of_totals_leaves_out_each_cluster_in_turn() -> None:
    right_old, right_new = (np.arange(N) % 3 > 0).astype(float), (np.arange(N) % 4 > 0).astype(float)

    def quotient(kept: np.ndarray) -> float:
        return math.log(NEW[kept].sum() / right_new[kept].sum() / (OLD[kept].sum() / right_old[kept].sum()))

    effect, whole = compare_quotients((NEW, right_new), (OLD, right_old), GROUPS), quotient(GROUPS >= 0)
    left_out = [quotient(GROUPS != c) - whole for c in range(6)]
    reach = t.ppf(0.975, effective_totals(NEW, OLD, GROUPS) - 1) * math.sqrt(5 / 6 * np.dot(left_out, left_out))
    assert (whole, whole - reach, whole + reach) == pytest.approx((effect.estimate, effect.low, effect.high))
    with pytest.raises(ValueError, match="totals above 0"):
        compare_quotients((NEW, np.zeros(N)), (OLD, right_old), GROUPS)
