"""Intervals that hold for small samples: proportions, quantiles, ratios. Pure functions over numbers and arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binom, norm, t

from harness.analysis.columns import Floats
from harness.analysis.stats.interval import LEVEL, Interval

Counts = npt.NDArray[np.float64] | npt.NDArray[np.int64]


def wilson(passed: int, n: int, level: float = LEVEL) -> Interval:
    """A proportion with Wilson's score interval.

    (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n) with p = passed / n and z the normal quantile at (1 + level) / 2.
    It stays inside 0 … 1 and holds its level at small n, where p ± z·√(p(1−p)/n) does not.
    Requests count as independent; where prompts were asked several times, see `clustered_rate`.

    Source: Wilson 1927, JASA 22:209–212; Newcombe 1998, Statistics in Medicine 17:857–872, method 3.
    Raises ValueError unless 0 ≤ passed ≤ n and n ≥ 1.
    """
    if not 0 <= passed <= n or n < 1:
        raise ValueError(f"wilson needs 0 <= passed <= n and n >= 1, not {passed} of {n}")
    return _score_interval(passed / n, n, float(norm.ppf((1 + level) / 2)))


def clustered_rate(passed: Counts, answers: Counts, level: float = LEVEL) -> Interval:
    """A proportion of answers that are not independent: one entry a cluster (a prompt, or a group of prompts).

    Asking a prompt again says little about other prompts, so Wilson's interval over all answers is too narrow: with
    repeats that always agree, 12 prompts asked 6 times cover 53 % instead of 95 %. With one answer a cluster this is
    Wilson's interval. With more it is Wilson's over n_eff = p(1−p) / SE² answers, SE the clustered error of
    `ratio_interval` over C clusters, with the t quantile of C − 1 degrees of freedom in place of the normal one.
    n_eff is at least C and at most the number of answers. Where all or none passed, and for a single cluster, the error
    cannot be estimated: then each cluster counts as one answer. C is `effective_clusters`: their number, or less where
    some are larger.

    Source: Korn & Graubard 1998, Survey Methodology 24:193–201 (effective sample size); Miller 2024, arXiv 2411.00640.
    Raises ValueError unless every cluster has an answer and there is one.
    """
    clusters, n = len(answers), float(answers.sum())
    if clusters == 0 or answers.min() < 1:
        raise ValueError("clustered_rate needs clusters with at least one answer each")
    p = float(passed.sum()) / n
    least = effective_clusters(answers)
    if n == clusters or clusters < 2 or p in (0.0, 1.0):
        return _score_interval(p, least, float(norm.ppf((1 + level) / 2)))
    residuals = passed - p * answers
    variance = clusters / (clusters - 1) * float(residuals @ residuals) / n**2
    effective = n if variance == 0 else min(n, max(least, p * (1 - p) / variance))
    return _score_interval(p, effective, float(t.ppf((1 + level) / 2, error_degrees(answers))))


def effective_clusters(sizes: Counts) -> float:
    """How many equal clusters do the work of these: (Σ m)² / Σ m², which is their number where all are of one size.

    Where one group holds most of the prompts, the error is that group's, however many small ones stand beside it.

    Source: Kish 1965, Survey Sampling, section 11.7.
    """
    return float(sizes.sum()) ** 2 / float((sizes.astype(np.float64) ** 2).sum())


def error_degrees(sizes: Counts) -> float:
    """Degrees of freedom of a clustered error: `effective_clusters` − 1, at least 1; C − 1 where all are of one size.

    Source: Carter, Schnepel & Steigerwald 2017, Review of Economics and Statistics 99:698–709.
    """
    return max(1.0, effective_clusters(sizes) - 1)


def _score_interval(p: float, n: float, z: float) -> Interval:
    centre = p + z * z / (2 * n)
    reach = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if p == 0 else (centre - reach) / scale
    high = 1.0 if p == 1 else (centre + reach) / scale
    return Interval(value=p, low=low, high=high)


def rule_of_three(n: int, level: float = LEVEL) -> float:
    """Upper bound of a rate after no event in n: −ln(1 − level) / n, which is 3 / n at 95 %; at most 1, as for n = 0.

    The exact bound, 1 − (1 − level)^(1/n), is a little lower, so this one errs on the safe side. It is one-sided.

    Source: Hanley & Lippman-Hand 1983, JAMA 249:1743–1745.
    """
    return 1.0 if n == 0 else min(1.0, -math.log(1 - level) / n)


def quantile(ordered: Floats, q: float) -> float:
    """The q-quantile of ascending values by nearest rank: the ⌈n·q⌉-th smallest, always a value that occurred.

    Source: Hyndman & Fan 1996, definition 1 (numpy's `inverted_cdf`).
    """
    return float(ordered[max(0, math.ceil(len(ordered) * q) - 1)])


def quantile_interval(ordered: Floats, q: float, level: float = LEVEL) -> Interval:
    """The q-quantile of ascending values with a distribution-free interval between two order statistics.

    With K ~ Bin(n, q) the number of values below the true quantile, the bounds are the l-th and the u-th smallest:
    l the largest rank with P(K ≤ l − 1) ≤ (1 − level)/2, u the smallest with P(K ≥ u) ≤ (1 − level)/2. Each side
    errs at most (1 − level)/2, whatever the distribution. A bound is None where no rank will do: at 95 % the upper
    one below n = 72 for p95 and below n = 368 for p99.

    The values count as independent. Requests that queue behind the same stall are not: then the interval is too narrow.

    Source: David & Nagaraja 2003, Order Statistics, section 7.1; Conover 1999, section 3.2.
    Raises IndexError on no values.
    """
    n, tail = len(ordered), (1 - level) / 2
    low_rank = int(binom.ppf(tail, n, q))
    high_rank = int(binom.ppf(1 - tail, n, q)) + 1
    return Interval(
        value=quantile(ordered, q),
        low=float(ordered[low_rank - 1]) if low_rank >= 1 else None,
        high=float(ordered[high_rank - 1]) if high_rank <= n else None,
    )


def samples_for_quantile(q: float, level: float = LEVEL) -> int:
    """The smallest n at which `quantile_interval` has both bounds: max(q, 1 − q)^n ≤ (1 − level)/2."""
    return math.ceil(math.log((1 - level) / 2) / math.log(max(q, 1 - q)))


def lies_below(lower: Interval, upper: Interval) -> bool:
    """The whole of `lower` is below the whole of `upper`; a bound that the data cannot give lies anywhere."""
    return lower.high is not None and upper.low is not None and lower.high < upper.low


def ratio_interval(top: Floats, bottom: Floats, clusters: npt.NDArray[Any], level: float = LEVEL) -> Interval | None:
    """Σ top / Σ bottom with a t interval whose error is clustered: one entry a request, `clusters` names its prompt.

    R = Σ top / Σ bottom; over C clusters with share s_c of Σ bottom and e_c = Σ_c top − R·Σ_c bottom the standard error
    is the jackknife's, √((C−1)/C · Σ (e_c/(1 − s_c))²) / Σ bottom, with `error_degrees` of freedom. Of clusters of one
    size that is √(C/(C−1) · Σ e_c²) / Σ bottom and C − 1. With bottom = 1 it is the mean with clustered errors.
    Bounds are None with fewer than two clusters that have a bottom. None where Σ bottom is 0.

    Source: Cochran 1977, Sampling Techniques, section 6.4 and chapter 9A (linearised ratio); Miller 2024, arXiv
    2411.00640 (clustered errors).
    """
    total = float(bottom.sum())
    if total == 0:
        return None
    ratio = float(top.sum()) / total
    codes = cluster_codes(clusters)
    count = int(codes.max()) + 1
    if count < 2:
        return Interval(value=ratio)
    sizes = np.bincount(codes, weights=bottom)
    if sizes.max() >= total:
        return Interval(value=ratio)
    residuals = np.bincount(codes, weights=top - ratio * bottom) / (1 - sizes / total)
    error = math.sqrt((count - 1) / count * float(residuals @ residuals)) / total
    reach = float(t.ppf((1 + level) / 2, error_degrees(sizes))) * error
    return Interval(value=ratio, low=ratio - reach, high=ratio + reach)


def cluster_codes(names: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Names as integers from 0 in order of appearance (a dict: sorting a million strings takes seconds)."""
    code = {name: index for index, name in enumerate(dict.fromkeys(names))}
    return np.fromiter(map(code.__getitem__, names), np.int64, len(names))
