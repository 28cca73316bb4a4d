"""A rate that a fallible grader measured, corrected by how it errs on answers whose true grade is known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from harness.analysis.columns import Codes, Floats
from harness.analysis.stats.clusters import effective_answers
from harness.analysis.stats.interval import LEVEL, Interval
from harness.analysis.stats.proportions import clustered_share, wilson_bounds


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share, and how many independent answers it is worth."""

    value: float
    n: float

    @classmethod
    def of(cls, outcomes: Floats, clusters: Codes, answers: float | None = None) -> Share | None:
        """Of outcomes of 0 … 1; `clusters`: the code of each one's prompt or group. None without any.

        `answers`: how many are behind the outcomes, where each is a mean of several; default: one each. Repeats and
        groups count as in `proportions.clustered_rate`; the t quantile of few of them as fewer answers.
        """
        if not len(outcomes):
            return None
        code = np.unique(clusters, return_inverse=True)[1]
        found = clustered_share(np.bincount(code, weights=outcomes), np.bincount(code), answers=answers)
        degrees = math.inf if found.degrees is None else found.degrees
        return cls(value=found.share, n=effective_answers(found.n_eff, 1.0, degrees))

    def bounds(self, level: float = LEVEL) -> tuple[float, float]:
        """Wilson's."""
        return wilson_bounds(self.value, self.n, float(ndtri((1 + level) / 2)))

    def interval(self, level: float = LEVEL) -> Interval:
        """The share with its bounds."""
        low, high = self.bounds(level)
        return Interval(value=self.value, low=low, high=high)


GRID = np.linspace(0.0, 1.0, 2001)
"""The rates that are tried: steps of 0.05 points."""


def corrected_rate(graded: Share, sensitivity: Share, specificity: Share, level: float = LEVEL) -> Interval | None:
    """The true pass rate π behind `graded`, the share p that the grader passed.

    π = (p + Sp − 1) / (Se + Sp − 1), Se the share of truly passing answers that the grader passes, Sp the share of
    truly failing ones that it fails; cut to 0 … 1. The interval is every π for which p − π·Se − (1 − π)·(1 − Sp) may be
    0, by the square-and-add of the three shares' Wilson intervals. So it is wide where few labelled answers failed, and
    holds its level where a share is near 1.

    The labels need not be of the answers that were graded, nor pass as often; the grader must err on both alike. None
    where it is no better than chance on the labels (Se + Sp ≤ 1), or where no π explains p: the grader then treats
    these answers otherwise than those that people labelled.

    Source: Rogan & Gladen 1978, American Journal of Epidemiology 107:71–76 (the estimate); Zou & Donner 2008,
    Statistics in Medicine 27:1693–1702 (square-and-add from any intervals), inverted as in Fieller 1954, JRSS B
    16:175–185; Korn & Graubard 1998, Survey Methodology 24:193–201 (effective answers).
    """
    p, se, sp = graded.value, sensitivity.value, specificity.value
    if se + sp <= 1:
        return None
    (p_low, p_high), (se_low, se_high), (sp_low, sp_high) = (
        each.bounds(level) for each in (graded, sensitivity, specificity)
    )
    left = p - GRID * se - (1 - GRID) * (1 - sp)
    down = np.sqrt((p - p_low) ** 2 + (GRID * (se_high - se)) ** 2 + ((1 - GRID) * (sp - sp_low)) ** 2)
    up = np.sqrt((p_high - p) ** 2 + (GRID * (se - se_low)) ** 2 + ((1 - GRID) * (sp_high - sp)) ** 2)
    held = GRID[(left - down <= 0) & (left + up >= 0)]
    if not len(held):
        return None
    rate = min(1.0, max(0.0, (p + sp - 1) / (se + sp - 1)))
    return Interval(value=rate, low=min(rate, float(held[0])), high=max(rate, float(held[-1])))
