"""The verdict of a difference, and of all of them: worse, better, equivalent, or that the data cannot tell."""

from __future__ import annotations

import math
from collections.abc import Iterable

from scipy.stats import norm

from harness.analysis.compare.comparison import Verdict
from harness.analysis.stats.interval import LEVEL

ALPHA = 1 - LEVEL
EXPLORATORY_Q = 0.10
"""Share of false findings that Benjamini–Hochberg may let through among what is exploratory."""
POWER = 0.80
MOST_NEEDED = 1_000_000
"""Above it an n is no advice: the difference lies on its margin."""
ROUNDING = 1e-9
"""Of a margin: what floating point may take from a difference of exactly the margin. 85 % less 80 % is 5 points."""


def decide(
    *, estimate: float | None, low: float | None, high: float | None, p_adjusted: float | None, margin: float
) -> Verdict:
    """The verdict of a metric that decides; all on its scale, + is worse, margin > 0.

    `worse`: the interval lies above 0, Holm's p-value is below 1 − level, and the estimate reaches the margin (a
    difference of exactly the margin does).
    `better`: the same on the other side. `equivalent`: the interval ends below the margin (not worse than it; it may
    be better). Otherwise `inconclusive`.

    Worse and better are claims of a difference, of which a family makes many: they need p adjusted. Equivalence
    is claimed for all metrics together or not at all (an intersection-union test, Berger 1982): each at its own level.
    """
    if estimate is None:
        return "inconclusive"
    significant = p_adjusted is not None and p_adjusted < ALPHA
    if significant and low is not None and low > 0 and reaches(estimate, margin):
        return "worse"
    if significant and high is not None and high < 0 and reaches(-estimate, margin):
        return "better"
    return "equivalent" if high is not None and not reaches(high, margin) else "inconclusive"


def reaches(difference: float, margin: float) -> bool:
    """Whether a difference is the margin or more, but for the last digits of a float."""
    return difference >= margin * (1 - ROUNDING)


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

    Below the margin it takes high < margin: n·((z + z_β)·SE / (margin − d))². Above it, it takes a significant
    difference, n·((z' + z_β)·SE / d)², in a run whose estimate reaches the margin too, n·(z_β·SE / (d − margin))²; the
    larger of the two. SE is the interval's arm over z, and z' the quantile of α over the family, Holm's first step.
    None: it lies so near its margin that no n helps.
    """
    z, z_beta = float(norm.ppf(1 - ALPHA / 2)), float(norm.ppf(POWER))
    apart = abs(margin - estimate)
    if not reaches(estimate, margin):
        reach, errors = high - estimate, (z + z_beta) / apart
    elif apart > ROUNDING * margin:
        strict = float(norm.ppf(1 - ALPHA / 2 / family))
        reach, errors = estimate - low, max((strict + z_beta) / estimate, z_beta / apart)
    else:
        return None
    if reach <= 0:
        return None
    wanted = n * (errors * reach / z) ** 2
    return max(n + 1, math.ceil(wanted)) if wanted <= MOST_NEEDED else None
