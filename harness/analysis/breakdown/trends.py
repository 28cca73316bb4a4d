"""A straight trend that outliers do not bend: the median of the slopes between pairs of points."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from harness.analysis.columns import Floats
from harness.analysis.stats.interval import LEVEL, Interval

FEWEST = 6
"""Points with a trend; fewer pairs of them cannot exclude a slope of either sign at 95 %."""
MOST = 500
"""More points than this are merged into as many groups of neighbours, each with its medians."""


@dataclass(frozen=True, kw_only=True)
class Trend:
    """y = intercept + slope · x."""

    slope: Interval
    intercept: float
    points: int
    """Independent points that it rests on."""

    def at(self, x: Floats) -> Floats:
        """The trend's y at each x."""
        return self.intercept + self.slope.value * x


def robust_trend(x: Floats, y: Floats, level: float = LEVEL) -> Trend | None:
    """The Theil–Sen line of independent points: the median of all slopes between two points of unequal x.

    The interval lies between order statistics of the slopes, by the normal approximation of Kendall's S with ties. The
    intercept is median(y) − slope · median(x). None with fewer than FEWEST points or x values.

    Source: Theil 1950, Indag. Math. 12; Sen 1968, JASA 63:1379–1389 (interval, ties).
    """
    n = len(x)
    if n < FEWEST or len(np.unique(x)) < FEWEST:
        return None
    if n > MOST:
        order = np.array_split(np.argsort(x, kind="stable"), MOST)
        x, y = (np.array([np.median(values[part]) for part in order]) for values in (x, y))
    first, second = np.triu_indices(len(x), 1)
    apart = x[first] != x[second]
    first, second = first[apart], second[apart]
    slopes = np.sort((y[second] - y[first]) / (x[second] - x[first]))
    slope = float(np.median(slopes))
    low, high = _ranks(len(slopes), x, y, level)
    return Trend(
        slope=Interval(value=slope, low=float(slopes[low]), high=float(slopes[high])),
        intercept=float(np.median(y) - slope * np.median(x)),
        points=n,
    )


def _ranks(slopes: int, x: Floats, y: Floats, level: float) -> tuple[int, int]:
    """Indices of the interval's bounds among the slopes in ascending order."""
    n = len(x)
    ties = sum(_tied(values) for values in (x, y))
    deviation = math.sqrt((n * (n - 1) * (2 * n + 5) - ties) / 18)
    reach = float(ndtri((1 + level) / 2)) * deviation
    return max(0, round((slopes - reach) / 2) - 1), min(slopes - 1, round((slopes + reach) / 2))


def _tied(values: Floats) -> float:
    """Σ k(k − 1)(2k + 5) over groups of k equal values."""
    k = np.unique(values, return_counts=True)[1].astype(np.float64)
    return float((k * (k - 1) * (2 * k + 5)).sum())
