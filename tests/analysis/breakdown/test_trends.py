import numpy as np
import pytest

from harness.analysis.breakdown.trends import FEWEST, MOST, robust_trend


def test_the_line_of_sens_own_example() -> None:
    x, y = np.array([1.0, 2, 3, 4, 10, 12, 18]), np.array([9.0, 15, 19, 20, 45, 55, 78])
    trend = robust_trend(x, y, level=0.93)
    assert (trend.slope.value, trend.intercept, trend.points) == (4.0, 4.0, 7)
    assert (trend.slope.low, trend.slope.high) == pytest.approx((26 / 7, 35 / 8))


def test_values_that_are_all_alike_have_none() -> None:
    assert robust_trend(np.array([1.0, 1, 2, 3, 4, 5, 6]), np.ones(7)) is None


def test_outliers_do_not_bend_it() -> None:
    x = np.arange(30.0)
    y = np.where(x % 7 == 3, 500.0, 3 * x + 1)
    assert robust_trend(x, y).slope.value == pytest.approx(3, abs=0.2)


def test_too_few_points_or_lengths_have_none() -> None:
    few = np.arange(FEWEST - 1.0)
    assert robust_trend(few, few) is None
    assert robust_trend(np.ones(50), np.arange(50.0)) is None


def test_many_points_are_merged_and_keep_their_slope() -> None:
    x = np.random.default_rng(1).uniform(0, 1000, 40 * MOST)
    trend = robust_trend(x, 0.5 * x + 3)
    assert (trend.slope.value, trend.intercept) == pytest.approx((0.5, 3.0))
    assert trend.points == 40 * MOST
