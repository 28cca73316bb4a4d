import numpy as np
import pytest
from scipy.stats import theilslopes

from harness.analysis.breakdown.trends import FEWEST, MOST, robust_trend


@pytest.mark.parametrize("ties", [False, True])
def test_the_slope_and_its_bounds_are_scipys(ties: bool) -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(0, 12, 40).astype(float) if ties else rng.uniform(0, 100, 40)
    y = 2 * x + rng.normal(0, 9, 40)
    expected, found = theilslopes(y, x, 0.95), robust_trend(x, y)
    assert expected.slope == pytest.approx(found.slope.value)
    assert expected.intercept == pytest.approx(found.intercept)
    assert (expected.low_slope, expected.high_slope) == pytest.approx((found.slope.low, found.slope.high))


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
