"""Means and ratios of clustered data (prompts or groups of prompts), with jackknife errors and t intervals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit

from harness.analysis.columns import Codes, Floats, code_names
from harness.analysis.stats.interval import LEVEL, Effect, Interval

Counts = npt.NDArray[np.float64] | npt.NDArray[np.int64]


def cluster_codes(names: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Names as integers from 0 in order of appearance."""
    return code_names(names)[1]


def effective_clusters(sizes: Counts) -> float:
    """How many clusters of equal size give as much information as these: (Σ m)² / Σ m²; their number if all are equal.

    If one group holds most of the prompts, the error is that group's, however many small ones there are.

    Source: Kish 1965, Survey Sampling, section 11.7.
    """
    return float(sizes.sum()) ** 2 / float((sizes.astype(np.float64) ** 2).sum())


def error_degrees(sizes: Counts) -> float:
    """Degrees of freedom of a clustered error: `effective_clusters` − 1, at least 1; C − 1 where all are of one size.

    Source: Carter, Schnepel & Steigerwald 2017, Review of Economics and Statistics 99:698–709.
    """
    return max(1.0, effective_clusters(sizes) - 1)


def clustered_variance(sums: Floats, clusters: int) -> float:
    """C/(C−1) · Σ s², s the sum of a cluster's errors, of C clusters that have an answer; 0 where there is but one.

    The variance of Σ e, e an answer's error, where the answers of a cluster depend on each other.

    Source: Liang & Zeger 1986, Biometrika 73:13–22.
    """
    return clusters / (clusters - 1) * float(sums @ sums) if clusters > 1 else 0.0


def jackknife_error(changes: Floats) -> float:
    """√((C−1)/C · Σ_c (θ_(c) − θ)²): the error of an estimate from what leaving out each cluster in turn changes.

    Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 11.
    """
    return math.sqrt((len(changes) - 1) / len(changes) * float(changes @ changes))


def ratio_interval(top: Floats, bottom: Floats, clusters: npt.NDArray[Any], level: float = LEVEL) -> Interval | None:
    """Σ top / Σ bottom with a t interval whose error is clustered: one entry a request, `clusters` names its prompt.

    The error is `_jackknife`'s, with `error_degrees` of freedom. Bounds are None with fewer than two clusters of
    bottom > 0. None if Σ bottom is 0.

    Source: Cochran 1977, Sampling Techniques, section 6.4 and chapter 9A (linearised ratio); Miller 2024, arXiv
    2411.00640 (clustered errors).
    """
    total = float(bottom.sum())
    if total == 0:
        return None
    ratio, codes = float(top.sum()) / total, cluster_codes(clusters)
    sizes = np.bincount(codes, weights=bottom)
    if sizes.max() >= total:
        return Interval(value=ratio)
    reach = float(stdtrit(error_degrees(sizes), (1 + level) / 2)) * _jackknife(top - ratio * bottom, codes, sizes)
    return Interval(value=ratio, low=ratio - reach, high=ratio + reach)


def mean_difference(differences: Floats, clusters: Codes, level: float = LEVEL) -> Effect:
    """The mean of one difference a prompt: d̄ ± t(df)·SE, and the t test's p-value. `clusters`: codes from 0.

    SE is `_jackknife`'s, df `error_degrees`. If every prompt is its own cluster this is the paired t interval,
    d̄ ± t(n−1)·s_d/√n. Differences that are all the same have no error: the interval is that one value. Bounds and
    p-value are None with fewer than two clusters.

    The mean of log ratios is the log of the ratios' geometric mean; exponentiate the interval to show it.

    Source: Student 1908. Raises ValueError without a difference.
    """
    if not len(differences):
        raise ValueError("mean_difference needs a difference")
    mean, sizes = float(differences.mean()), np.bincount(clusters)
    method = "paired-t" if len(sizes) == len(differences) else "cluster-t"
    if len(sizes) < 2:
        return Effect(estimate=mean, low=None, high=None, p_value=None, method=method)
    error = _jackknife(differences - mean, clusters, sizes)
    if error <= 1e-12 * abs(mean) or error == 0:
        return Effect(estimate=mean, low=mean, high=mean, p_value=1.0 if mean == 0 else 0.0, method=method)
    degrees = error_degrees(sizes)
    reach = float(stdtrit(degrees, (1 + level) / 2)) * error
    p_value = float(2 * stdtr(degrees, -abs(mean) / error))
    return Effect(estimate=mean, low=mean - reach, high=mean + reach, p_value=p_value, method=method)


def _jackknife(residuals: Floats, codes: Codes, sizes: Counts) -> float:
    """The clustered error of a ratio or mean: √((C−1)/C · Σ_c (Σ_{i∈c} e_i / (1 − n_c/n))²) / n.

    `residuals`: e_i = top − ratio · bottom, or d − d̄; `sizes`: n_c, what is in the denominator of cluster c, of n
    altogether. Of clusters of one size it is √(C/(C−1) · Σ_c (Σ e_i)²) / n, Liang and Zeger's with the factor C/(C−1);
    beside two large groups among small ones that one is too small.

    Source: Liang & Zeger 1986, Biometrika 73:13–22; Miller 2024, arXiv 2411.00640; MacKinnon & White 1985, Journal of
    Econometrics 29:305–325 (jackknife).
    """
    total = float(sizes.sum())
    return jackknife_error(np.bincount(codes, weights=residuals) / (1 - sizes / total)) / total
