"""The verdict of a difference, and of all of them: worse, better, equivalent, or that the data cannot tell."""

from __future__ import annotations

import math
from collections.abc import Iterable

from scipy.stats import norm

from harness.analysis.comparison import Verdict
from harness.analysis.summary import LEVEL

ALPHA = 1 - LEVEL
EXPLORATORY_Q = 0.10
"""Share of false findings that Benjamini–Hochberg may let through among what is exploratory."""
POWER = 0.80
MOST_NEEDED = 1_000_000
"""Above it an n is no advice: the difference lies on its margin."""


def decide(
    *, estimate: float | None, low: float | None, high: float | None, p_adjusted: float | None, margin: float
) -> Verdict:
    """The verdict of a metric that decides; all on its scale, + is worse, margin > 0.

    `worse`: the interval lies above 0, Holm's p-value is below 1 − level, and the estimate reaches the margin.
    `better`: the same on the other side. `equivalent`: the interval ends below the margin (not worse than it; it may
    be better). Otherwise `inconclusive`.

    Worse and better are claims of a difference, of which a family makes many: they need p adjusted. Equivalence
    is claimed for all metrics together or not at all (an intersection-union test, Berger 1982): each at its own level.
    """
    if estimate is None:
        return "inconclusive"
    significant = p_adjusted is not None and p_adjusted < ALPHA
    if significant and low is not None and low > 0 and estimate >= margin:
        return "worse"
    if significant and high is not None and high < 0 and -estimate >= margin:
        return "better"
    return "equivalent" if high is not None and high < margin else "inconclusive"


def decide_direction(*, estimate: float | None, p_adjusted: float | None) -> Verdict:
    """The verdict of what is exploratory and has no margin: of direction alone, never `equivalent`."""
    if estimate is None or p_adjusted is None or p_adjusted >= EXPLORATORY_Q or estimate == 0:
        return "inconclusive"
    return "worse" if estimate > 0 else "better"


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Of a family: worse, then inconclusive, then better if some metric is, else equivalent. Nothing: inconclusive."""
    found = set(verdicts)
    return next((each for each in ("worse", "inconclusive", "better", "equivalent") if each in found), "inconclusive")


def worst_of_comparisons(verdicts: Iterable[Verdict]) -> Verdict:
    """Of several candidates: the first of worse, inconclusive, equivalent, better. Nothing: inconclusive."""
    found = set(verdicts)
    return next((each for each in ("worse", "inconclusive", "equivalent", "better") if each in found), "inconclusive")


def needed(*, n: int, estimate: float, low: float, high: float, margin: float, family: int) -> int | None:
    """How many would settle an inconclusive metric at 80 % power, if the difference is what it seems.

    Below the margin it takes high < margin: n·((z + z_β)·SE / (margin − d))²; at or above it a significant difference:
    n·((z' + z_β)·SE / d)², with SE the interval's arm over z, and z' that of α over the family, Holm's first step.
    None: it lies so near its margin that no n helps.
    """
    z, z_beta = float(norm.ppf(1 - ALPHA / 2)), float(norm.ppf(POWER))
    if estimate < margin:
        reach, room, level = high - estimate, margin - estimate, z
    else:
        reach, room, level = estimate - low, estimate, float(norm.ppf(1 - ALPHA / 2 / family))
    if room <= 0 or reach <= 0:
        return None
    wanted = n * ((level + z_beta) / z * reach / room) ** 2
    return max(n + 1, math.ceil(wanted)) if wanted <= MOST_NEEDED else None
