"""Many comparisons at once: p-values adjusted so that a family of tests errs no more often than one test may."""

from __future__ import annotations

from collections.abc import Sequence

from scipy.stats import false_discovery_control


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
    """Benjamini and Hochberg's step-up adjustment: at threshold q, at most a share q of what is named is false.

    For independent or positively dependent tests. Source: Benjamini & Hochberg 1995, JRSS B 57:289–300.
    """
    return [float(p) for p in false_discovery_control(p_values)] if p_values else []
