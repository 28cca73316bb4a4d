"""A straight trend that outliers do not bend: the median of the slopes between pairs of points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
    intercept is median(y) − slope · median(x). None with fewer than FEWEST points or x values, or if nearly all values
    are ties, for which that approximation has no variance.

    Source: Theil 1950, Indag. Math. 12; Sen 1968, JASA 63:1379–1389 (interval, ties).
    """
    n = len(x)
    if n < FEWEST or len(np.unique(x)) < FEWEST:
        return None
    if n > MOST:
        order = np.array_split(np.argsort(x, kind="stable"), MOST)
        x, y = (np.array([np.median(values[part]) for part in order]) for values in (x, y))
    from scipy.stats import theilslopes  # takes half a second to load, and only a trend needs it

    with np.errstate(invalid="ignore"):
        found = theilslopes(y, x, level)
    if np.isnan(found.low_slope):
        return None
    slope = Interval(value=float(found.slope), low=float(found.low_slope), high=float(found.high_slope))
    return Trend(slope=slope, intercept=float(found.intercept), points=n)
