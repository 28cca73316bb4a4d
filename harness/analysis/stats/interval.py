"""An estimate with its interval, a difference with its p-value, and p-values of many tests at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

LEVEL = 0.95
"""Confidence level of every interval in a summary."""
SURE = 1e-12
"""The smallest p-value that is reported: an interval is inverted up to the level 1 − SURE."""


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """An estimate with its interval. `low`/`high` None: the data gives no such bound (too few samples)."""

    value: float
    low: float | None = None
    high: float | None = None


def lies_below(lower: Interval, upper: Interval) -> bool:
    """Whether all of `lower` is below all of `upper`; False if a bound is missing."""
    return lower.high is not None and upper.low is not None and lower.high < upper.low


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """Candidate − baseline, or the log of their ratio, on the scale of the metric."""

    estimate: float
    low: float | None
    high: float | None
    """None: the data gives no such bound."""
    p_value: float | None
    """Two-sided, of no difference. None: unknown."""
    method: str
    time_limited: bool = False
    """How events or slow answers fall in time decides the width, or leaves a side without a bound: measuring for longer
    helps, more prompts in the same time do not."""


def invert(interval: Callable[[float], tuple[float, float]]) -> float:
    """The two-sided p-value of an interval: 1 − the highest level at which it excludes 0.

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


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment, in the order given: the family-wise error stays ≤ α whatever the dependence.

    Sorted ascending, p̃_(i) = max over j ≤ i of min(1, (m − j + 1)·p_(j)); a test is significant where p̃ < α.

    Source: Holm 1979, Scandinavian Journal of Statistics 6:65–70.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, highest = [0.0] * len(order), 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - place) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg's step-up adjustment: at threshold q, the expected share of false findings is at most q.

    For independent or positively dependent tests. Source: Benjamini & Hochberg 1995, JRSS B 57:289–300.
    """
    if not p_values:
        return []
    from scipy.stats import false_discovery_control  # takes half a second to load, and few commands need it

    return [float(p) for p in false_discovery_control(p_values)]
