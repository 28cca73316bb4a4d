"""Mean differences over prompts with a t interval, paired or clustered by group: for costs, and any real scale."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import stdtr, stdtrit

from harness.analysis.columns import Codes, Floats
from harness.analysis.stats.effect import Effect
from harness.analysis.stats.interval import LEVEL
from harness.analysis.stats.intervals import error_degrees


def mean_difference(differences: Floats, clusters: Codes, level: float = LEVEL) -> Effect:
    """The mean of one difference a prompt: d̄ ± t(df)·SE, and the t test's p-value.

    SE = √((C−1)/C · Σ_c (Σ_{i∈c} (d_i − d̄) / (1 − n_c/n))²) / n over the C clusters of n_c of the n prompts, codes
    from 0: the jackknife. df is C − 1, less where some clusters are larger (`error_degrees`). Where all are of one
    size, SE is Liang and Zeger's √(C/(C−1) · Σ_c (…)²) / n; beside two large groups among small ones that one is too
    small. Where every prompt is its own cluster this is the paired t interval, d̄ ± t(n−1)·s_d/√n. Differences that are
    all the same have no error: the interval is that one value. Bounds and p-value are None with fewer than two
    clusters.

    For logs of ratios the interval is exponentiated by who shows it: the mean log ratio is the log of the geometric
    mean of the prompts' ratios.

    Source: Student 1908; Liang & Zeger 1986, Biometrika 73:13–22, with the factor C/(C−1) as in Miller 2024, arXiv
    2411.00640; MacKinnon & White 1985, Journal of Econometrics 29:305–325 (jackknife). Raises ValueError without a
    difference.
    """
    n = len(differences)
    if n == 0:
        raise ValueError("mean_difference needs a difference")
    mean, count = float(differences.mean()), int(clusters.max()) + 1
    method = "paired-t" if count == n else "cluster-t"
    if count < 2:
        return Effect(estimate=mean, low=None, high=None, p_value=None, method=method)
    members = np.bincount(clusters)
    residuals = np.bincount(clusters, weights=differences - mean) / (1 - members / n)
    error = math.sqrt((count - 1) / count * float(residuals @ residuals)) / n
    if error <= 1e-12 * abs(mean) or error == 0:
        return Effect(estimate=mean, low=mean, high=mean, p_value=1.0 if mean == 0 else 0.0, method=method)
    degrees = error_degrees(members)
    reach = float(stdtrit(degrees, (1 + level) / 2)) * error
    p_value = float(2 * stdtr(degrees, -abs(mean) / error))
    return Effect(estimate=mean, low=mean - reach, high=mean + reach, p_value=p_value, method=method)
