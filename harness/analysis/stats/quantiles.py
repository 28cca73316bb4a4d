"""Quantiles of one sample by nearest rank, their intervals, and what it takes for a quantile to have bounds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import betainc

from harness.analysis.columns import Codes, Floats
from harness.analysis.stats.clusters import DesignEffect, effective_answers
from harness.analysis.stats.interval import LEVEL, Interval
from harness.analysis.stats.means import effective_clusters

REPEATS_THAT_COUNT = 3
"""Of `samples_for_quantile`, a third must be independent clusters: repeats of few prompts do not show a tail. At 12
prompts asked 6 times the interval of a p95 covers 88 % where prompts differ much, at 24 asked 3 times 93 %."""

STAYS = 0.75
"""Of the design effect at the quantile, further out. With 24 prompts asked 10 times, alike at 0.9, the interval of a
p95 covers 94 % with it and 84 % without."""


def quantile(ordered: Floats, q: float) -> float:
    """The q-quantile of ascending values by nearest rank: the ⌈n·q⌉-th smallest, always a value that occurred.

    The one definition of every p50 … p99 of a run: of its summary, leaders, history, comparison, sweep and figures, and
    of `quantile_disc` in a query. Not between two samples (numpy's default, `quantile_cont`): a p95 of at most 1 s then
    is the same as 95 % of requests within 1 s, which is what an objective asks; it is where the drawn distribution
    crosses 95 %; its bounds are order statistics as well; and with failures as ∞ there is nothing to interpolate.

    Source: Hyndman & Fan 1996, definition 1 (numpy's `inverted_cdf`).
    """
    return float(ordered[max(0, math.ceil(len(ordered) * q) - 1)])


def quantile_interval(ordered: Floats, q: float, effect: DesignEffect | None = None, level: float = LEVEL) -> Interval:
    """The q-quantile of ascending values with an interval between two of them, free of assumptions on their shape.

    With K ~ Bin(n, q) the number of values below the true quantile, the bounds are the l-th and the u-th smallest:
    l the largest rank with P(K ≤ l − 1) ≤ (1 − level)/2, u the smallest with P(K ≥ u) ≤ (1 − level)/2. So each side
    errs at most (1 − level)/2 where values are independent.

    Where they are not, `effect` says how much more the share below a rank varies, at each rank anew, and n values count
    as n / deff · (z/t)² of them, z and t the normal quantile and that of deff's degrees of freedom. So the interval of
    the share below is mapped back to ranks; without a design effect it is that of the order statistics. Where prompts
    or groups have several answers, deff is nowhere less than STAYS of what it has above 1 at the quantile itself:
    further out it rests on a few answers, and few prompts hold none of the slowest.

    A bound is None where no rank will do (at 95 % the upper one below n = 72 for p95 and below n = 368 for p99), or
    where prompts or groups are too few to show one: fewer than `clusters_for_quantile` for the bound on the side of the
    tail, fewer than 6 for either. docs/calibration.md has how it was measured.

    Source: David & Nagaraja 2003, Order Statistics, section 7.1; Conover 1999, section 3.2; Woodruff 1952, JASA
    47:635–646 (by the share below); Korn & Graubard 1998, Survey Methodology 24:193–201 (n_eff in binomial bounds).
    Raises IndexError on no values.
    """
    n, middle = len(ordered), max(1, math.ceil(len(ordered) * q))
    tail = (1 - level) / 2

    least = 1 + STAYS * (effect.at(middle)[0] - 1) if effect is not None and effect.several else 1.0

    def counted(below: int) -> float:
        """How many independent values they are worth, at that rank."""
        if effect is None:
            return float(n)
        deff, degrees = effect.at(below)
        return effective_answers(n, max(deff, least), degrees, level)

    def low_will_do(rank: int) -> bool:
        n_eff = counted(rank - 1)
        return _at_most((rank - 1) / n * n_eff, n_eff, q) <= tail

    def high_will_do(rank: int) -> bool:
        n_eff = counted(rank)
        return 1 - _at_most(rank / n * n_eff - 1, n_eff, q) <= tail

    clusters = n if effect is None else effect.independent
    enough, for_one = (clusters >= min(n, few) for few in (clusters_for_quantile(q), clusters_for_level(1 - LEVEL)))
    spread = math.ceil(2 * n * math.sqrt(q * (1 - q) / counted(middle)))
    low_rank = _nearest_rank(low_will_do, middle, 1, spread) if (enough if q <= 0.5 else for_one) else None
    high_rank = _nearest_rank(high_will_do, middle, n, spread) if (enough if q >= 0.5 else for_one) else None
    return Interval(
        value=quantile(ordered, q),
        low=None if low_rank is None else float(ordered[low_rank - 1]),
        high=None if high_rank is None else float(ordered[high_rank - 1]),
    )


def _at_most(k: float, n: float, q: float) -> float:
    """P(K ≤ k), K ~ Bin(n, q), for k and n that need not be whole. `scipy.stats.binom` takes a second to load."""
    return 0.0 if k <= -1 else float(betainc(n - k, k + 1, 1 - q)) if k < n else 1.0


def _nearest_rank(will_do: Callable[[int], bool], middle: int, end: int, step: int) -> int | None:
    """The rank nearest to `middle`, towards `end`, that will do; None if none does.

    Steps that double, then bisection, to within 1/32 of the distance: the rank further out counts.
    """
    sign = 1 if end >= middle else -1
    inside, outside = middle, middle
    while not will_do(outside):
        if outside == end:
            return None
        inside, outside = outside, sign * min(sign * (outside + sign * step), sign * end)
        step *= 2
    while abs(outside - inside) > max(1, abs(outside - middle) // 32):
        half = (inside + outside) // 2
        inside, outside = (inside, half) if will_do(half) else (half, outside)
    return outside


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
