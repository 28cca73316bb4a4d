"""Totals of two arms over the same prompts compared as an invoice does: their ratio, or the difference of means."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import stdtr, stdtrit

from harness.analysis.columns import Codes, Floats
from harness.analysis.stats.interval import LEVEL, Effect
from harness.analysis.stats.means import effective_clusters, jackknife_error

METHOD = "cluster-jackknife"
WHOLE = 1 - 1e-12
"""A cluster with this share of a total leaves nothing when it is left out."""
NOTHING = 1e-9
"""An error below this, as a share of what is compared, comes from adding floats in another order."""


def compare_totals(
    candidate: Floats, baseline: Floats, clusters: Codes, *, logarithm: bool = True, level: float = LEVEL
) -> Effect:
    """θ = ln(Σ candidate / Σ baseline), or the difference of the means, with θ ± t(df)·SE and the p-value of its test.

    `candidate`, `baseline`: one value of at least 0 a prompt, such as its cost in USD; `clusters`: codes from 0 of what
    is independent (the prompt, or its group).

    - SE² = (C − 1)/C · Σ_c (θ_(c) − θ)², θ_(c) being θ without cluster c: the jackknife, which needs no normal costs.
    - df = `effective_totals` − 1, at least 1. Where few prompts carry most of the bill, the error is estimated from
      those few: with C − 1 degrees of freedom the interval covers 88 % at n = 20 and σ = 2 of ln cost, with these 96 %.

    Bounds and p-value are None with fewer than two clusters, and where one cluster is all of a total. Totals whose
    ratio every cluster has (a price that rose) have no error: the interval is that one value.

    Sources: Quenouille 1956 and Miller 1974, Biometrika 61:1–15 (jackknife of a ratio); Kish 1965, section 11.7.
    docs/calibration.md has how it was measured, and what bootstraps do. Raises ValueError without a prompt or, for the
    logarithm, where a total is 0.
    """
    if not len(candidate):
        raise ValueError("compare_totals needs a prompt")
    new, old = _by_cluster(candidate, clusters), _by_cluster(baseline, clusters)
    degrees = max(1.0, effective_totals(candidate, baseline, clusters) - 1)
    if logarithm:
        return _log_ratio([new], [old], degrees, level)
    estimate, sizes = float(candidate.mean() - baseline.mean()), np.bincount(clusters)
    if len(sizes) < 2:
        return Effect(estimate=estimate, low=None, high=None, p_value=None, method=METHOD)
    left_out = (estimate * sizes - (new - old)) / (sizes.sum() - sizes)
    return _with_error(estimate, left_out, degrees, level, scale=float(max(new.sum(), old.sum()) / sizes.sum()))


def compare_quotients(
    candidate: tuple[Floats, Floats], baseline: tuple[Floats, Floats], clusters: Codes, *, level: float = LEVEL
) -> Effect:
    """θ = ln of the ratio of (Σ top / Σ bottom), as of the cost of a correct answer; else as `compare_totals`.

    Each arm is (top, bottom), one value of at least 0 a prompt; the degrees of freedom are those of the tops. Raises
    ValueError where a total is 0.
    """
    (new_top, new), (old_top, old) = (
        (_by_cluster(top, clusters), _by_cluster(bottom, clusters)) for top, bottom in (candidate, baseline)
    )
    degrees = max(1.0, effective_totals(candidate[0], baseline[0], clusters) - 1)
    return _log_ratio([new_top, old], [old_top, new], degrees, level)


def _log_ratio(tops: Sequence[Floats], bottoms: Sequence[Floats], degrees: float, level: float) -> Effect:
    """ln of the product of the tops' totals / of the bottoms', one entry a cluster."""
    totals = [(sign, each, float(each.sum())) for sign, of in ((1, tops), (-1, bottoms)) for each in of]
    if min(total for _, _, total in totals) <= 0:
        raise ValueError("a ratio of totals needs totals above 0")
    estimate = sum(sign * math.log(total) for sign, _, total in totals)
    if max(each.max() / total for _, each, total in totals) >= WHOLE:
        return Effect(estimate=estimate, low=None, high=None, p_value=None, method=METHOD)
    left_out = sum(sign * np.log1p(-each / total) for sign, each, total in totals)
    return _with_error(estimate, np.asarray(left_out), degrees, level, scale=1.0)


def _with_error(estimate: float, left_out: Floats, degrees: float, level: float, *, scale: float) -> Effect:
    """`left_out`: what leaving out each cluster in turn changes; `scale`: the size of what is compared."""
    error = jackknife_error(left_out)
    if error <= NOTHING * scale:
        estimate = 0.0 if abs(estimate) <= NOTHING * scale else estimate
        return Effect(estimate=estimate, low=estimate, high=estimate, p_value=float(estimate == 0), method=METHOD)
    reach = float(stdtrit(degrees, (1 + level) / 2)) * error
    p_value = float(2 * stdtr(degrees, -abs(estimate) / error))
    return Effect(estimate=estimate, low=estimate - reach, high=estimate + reach, p_value=p_value, method=METHOD)


def effective_totals(candidate: Floats, baseline: Floats, clusters: Codes) -> float:
    """How many clusters of equal weight the bill is worth: (Σ s)² / Σ s², s a cluster's share of it, mean of both arms.

    A total of 0 has no shares and is left out; if both are 0 every cluster counts.
    """
    totals = [_by_cluster(values, clusters) for values in (candidate, baseline)]
    shares = [each / each.sum() for each in totals if each.sum() > 0]
    return effective_clusters(sum(shares)) if shares else float(len(totals[0]))


def _by_cluster(values: Floats, clusters: Codes) -> Floats:
    return np.asarray(np.bincount(clusters, weights=values), dtype=np.float64)
