"""A difference between two arms with its interval and its p-value: what every method of comparison returns."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

SURE = 1e-12
"""The level that an inverted interval is taken to at most: 1 − SURE. No p-value is told to be smaller."""


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """Candidate − baseline, or the log of their ratio, on the scale of the metric."""

    estimate: float
    low: float | None
    high: float | None
    """None: the data cannot give that bound."""
    p_value: float | None
    """Two-sided, of no difference. None: there is none."""
    method: str


def invert(interval: Callable[[float], tuple[float, float]]) -> float:
    """The two-sided p-value that belongs to an interval: 1 − the highest level at which it leaves out 0.

    `interval`: level → (low, high), wider as the level grows. Found by bisection on ln p to 1e-3 of itself.
    """
    excludes = [low > 0 or high < 0 for low, high in (interval(1e-9), interval(1 - SURE))]
    if not excludes[0]:
        return 1.0
    if excludes[1]:
        return SURE
    low, high = SURE, 1.0
    while high / low > 1.001:
        middle = (low * high) ** 0.5
        bounds = interval(1 - middle)
        if bounds[0] > 0 or bounds[1] < 0:
            high = middle
        else:
            low = middle
    return high
