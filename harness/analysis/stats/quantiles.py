"""Quantiles of one sample between order statistics, and what it takes for a quantile to have bounds."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from scipy.special import betainc

from harness.analysis.columns import Codes, Floats
from harness.analysis.stats.interval import LEVEL, Interval
from harness.analysis.stats.means import effective_clusters

REPEATS_THAT_COUNT = 3
"""Of `samples_for_quantile`, a third must be independent clusters: repeats of few prompts do not show a tail. At 12
prompts asked 6 times the interval of a p95 covers 88 % where prompts differ much, at 24 asked 3 times 93 %."""


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
    low_rank = _binomial_quantile(tail, n, q)
    high_rank = _binomial_quantile(1 - tail, n, q) + 1
    return Interval(
        value=quantile(ordered, q),
        low=float(ordered[low_rank - 1]) if low_rank >= 1 else None,
        high=float(ordered[high_rank - 1]) if high_rank <= n else None,
    )


def _binomial_quantile(p: float, n: int, q: float) -> int:
    """The smallest k with P(K ≤ k) ≥ p, K ~ Bin(n, q). `scipy.stats.binom` has it, and takes a second to load."""
    return bisect_left(range(n), p, key=lambda k: betainc(n - k, k + 1, 1 - q))


def samples_for_quantile(q: float, level: float = LEVEL) -> int:
    """The smallest n at which `quantile_interval` has both bounds: max(q, 1 − q)^n ≤ (1 − level)/2."""
    return math.ceil(math.log((1 - level) / 2) / math.log(max(q, 1 - q)))


def is_bounded(q: float, samples: int, clusters: int) -> bool:
    """Whether so many samples in so many clusters give the q-quantile bounds on both sides."""
    return samples >= samples_for_quantile(q) and clusters >= clusters_for_quantile(q)


@dataclass(frozen=True, kw_only=True)
class BoundsNeed:
    """What two arms have, and what a quantile takes to have bounds on both sides."""

    samples: int
    """Of the arm that has fewest."""
    clusters: int
    """Independent ones, `independent_clusters`."""
    samples_needed: int
    """With as many samples a cluster as now."""
    clusters_needed: int

    @property
    def met(self) -> bool:
        return self.samples >= self.samples_needed and self.clusters >= self.clusters_needed


def bounds_need(q: float, *arms: Codes) -> BoundsNeed:
    """The one count behind a dry run, a finding about a run and a comparison. Each arm: the cluster of each sample."""
    samples, clusters = min(len(codes) for codes in arms), independent_clusters(*arms)
    fewest = clusters_for_quantile(q)
    in_clusters = math.ceil(fewest * samples / clusters) if clusters < fewest else 0
    return BoundsNeed(
        samples=samples,
        clusters=clusters,
        samples_needed=max(samples_for_quantile(q), in_clusters),
        clusters_needed=fewest,
    )


def clusters_for_quantile(q: float) -> int:
    """The fewest prompts (or groups) at which the q-quantile has bounds: 6 for p50, 24 for p95, 123 for p99."""
    return max(clusters_for_level(1 - LEVEL), math.ceil(samples_for_quantile(q) / REPEATS_THAT_COUNT))


def clusters_for_level(alpha: float) -> int:
    """The fewest clusters C of which a p-value can be below alpha: 2·½^C < alpha; 6 for 5 %, 8 for 1 %."""
    return math.floor(1 - math.log2(alpha)) + 1


def independent_clusters(*arms: Codes) -> int:
    """`effective_clusters` of the arm that has fewest, rounded. Each arm: the cluster of each of its values."""
    return min(round(effective_clusters(np.bincount(codes))) for codes in arms)
