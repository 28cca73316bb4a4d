"""Quantiles of two arms compared where neighbours in time are slow together: a test on shares, inverted."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace
from scipy.special import stdtrit

from harness.analysis.columns import Codes, Floats
from harness.analysis.stats.clusters import BLOCKS, DEGREES, Clustering, Dependence
from harness.analysis.stats.interval import LEVEL, Effect, invert
from harness.analysis.stats.means import error_degrees
from harness.analysis.stats.proportions import arms_correlation, square_and_add, wilson_bounds
from harness.analysis.stats.quantiles import independent_clusters, is_bounded, quantile

METHOD = "time-blocks"
ALIKE = 0.1
"""Correlation of neighbouring blocks, above which answers may depend on each other for longer than a block lasts."""
DEGREES_WHERE_ALIKE = 5.0
"""Then fewer blocks than 8 are independent."""
ROUNDING = 1e-9
"""A width below it is rounding, which may well depend on time: stamps grow."""
STEPS = 16
"""Of each bisection: 16 halvings leave 0.002 % of the range."""
IN_BURSTS = 3.0
"""Above this design effect of time, slow answers come in bursts: the few of an independent tail stay below, mostly."""
MOST_ALIKE = 0.95
"""The largest correlation of the arms that counts: never a width of zero because both had the same slow prompts."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """One arm. All arrays have one entry an answer."""

    values: Floats
    clusters: Codes
    """What is independent of the others but for time: the prompt, or its group, by the same codes in both arms."""
    due_s: Floats
    """When it was due; only its place within this arm's own time counts."""


def compare_quantiles(
    candidate: Answers,
    baseline: Answers,
    quantiles: Sequence[float],
    *,
    logarithm: bool = True,
    level: float = LEVEL,
) -> list[Effect]:
    """θ = ln(q_candidate / q_baseline) for each quantile, or their difference, where answers depend on time and prompt.

    A trial θ is in the interval unless a test refuses it: divide the candidate by e^θ (or take θ off), cut both arms at
    their pooled q-quantile, and compare the two shares above the cut. Their difference has the square-and-add of two
    Wilson intervals with t quantiles, in which n answers count as n / deff, and the arms' correlation φ.

    - deff = clustered variance of the shares / their binomial variance, both summed over the arms: a quiet arm is no
      proof that it cannot stall. D counts blocks of time as clusters (8 or 16, whichever says more, at least 1), D_p
      prompts or groups, and both ways at once D + D_p − D_both; deff is the largest of the three. Where neighbours
      among the 16 blocks are alike, r₁ > 0.1, dependence reaches beyond a block: D is then also at least that of 4
      blocks, and D_16·(1 + 2·r₁), which counts each block with its neighbours.
    - t has 7·D / (D − 1) degrees of freedom: the binomial part of the error is known, the rest comes from 8 blocks (5
      for 7 where neighbours are alike); at most those of the prompts or groups.
    - φ = r·D_p / (deff·D²), r the correlation of the arms' residuals Σ (x − share) by prompt or group less its
      standard error (1 − r²) / √m of the m answers an arm above the cut (or below it, where these are fewer): few
      answers show a correlation by chance. At most 0.95. Where nothing depends on time it is r;
      the more does, the less r can be known: it rests on few stalls.

    All are taken anew at each θ: at the estimate alone, a p95 is falsely worse five times as often. The p-value is the
    level at which the test of θ = 0 just refuses, at least 2·½^C of C clusters: all of them lie on one side by chance
    that often.

    The estimate is that of the arms' own quantiles, by nearest rank. A bound is None where no θ is
    refused on that side: slow answers came in so few moments that their share could be anything, or are too few.
    `time_limited` says that it is the moments: D is above 3 there, or at the estimate. Both bounds are None where
    `is_bounded` says no. Clusters count by `independent_clusters`.

    Sources: Woodruff 1952, JASA 47:635–646 (quantiles by shares); Newcombe 1998, Statistics in Medicine 17:2635–2650;
    Korn & Graubard 1998, Survey Methodology 24:193–201 (n / deff); Newey & West 1987, Econometrica 55:703–708 (with
    neighbours, here unweighted); Cameron, Gelbach & Miller 2011, JBES 29:238–249
    (both ways). docs/calibration.md has how it was measured. Raises ValueError on an empty arm.
    """
    if not len(candidate.values) or not len(baseline.values):
        raise ValueError("compare_quantiles needs values in both arms")
    clusters = int(max(candidate.clusters.max(), baseline.clusters.max())) + 1
    arms = [_Arm(arm, clusters, logarithm=logarithm) for arm in (candidate, baseline)]
    independent = independent_clusters(candidate.clusters, baseline.clusters)
    degrees = min(error_degrees(arm.ways.prompt_sizes) for arm in arms)
    fewest = min(len(arm.values) for arm in arms)
    bounded = [is_bounded(q, fewest, independent) for q in quantiles]
    return [
        _effect(_Test(arms[0], arms[1], q, degrees), independent if has_bounds else None, level)
        for q, has_bounds in zip(quantiles, bounded, strict=True)
    ]


def _effect(test: _Test, independent: int | None, level: float) -> Effect:
    """One quantile's. `independent`: the clusters that a p-value rests on; None: too few for bounds."""
    new, old = (quantile(arm.values, test.q) for arm in (test.candidate, test.baseline))
    effect = Effect(estimate=new - old, low=None, high=None, p_value=None, method=METHOD)
    if independent is None:
        return effect
    low, high = test.bounds(effect.estimate, level)
    no_width = low is not None and high is not None and high - low < ROUNDING
    return replace(
        effect,
        low=low,
        high=high,
        p_value=max(min(1.0, 2 * 0.5**independent), invert(test.at(0.0))),
        time_limited=not no_width and test.is_time_limited(effect.estimate, low, high),
    )


class _Arm:
    """One arm in ascending order, sorted once; values as logs where ratios are compared."""

    def __init__(self, arm: Answers, clusters: int, *, logarithm: bool) -> None:
        order = np.argsort(arm.values, kind="stable")
        self.values = np.log(arm.values[order]) if logarithm else arm.values[order]
        self.ways = Clustering(Dependence.of(arm.clusters, arm.due_s).select(order), clusters)


@dataclass(frozen=True)
class _Test:
    """Whether the q-quantiles differ by θ."""

    candidate: _Arm
    baseline: _Arm
    q: float
    most_degrees: float
    """Of the t quantile: those of the prompts or groups."""

    def bounds(self, estimate: float, level: float) -> tuple[float | None, float | None]:
        """The lowest and the highest θ that are not refused, by bisection from where the arms lie wholly apart."""
        lowest, highest = self._ends(estimate)
        return self._bound(estimate, lowest, level), self._bound(estimate, highest, level)

    def is_time_limited(self, estimate: float, low: float | None, high: float | None) -> bool:
        """Whether slow answers come in bursts: at the estimate, or where there is no bound."""
        ends = zip((low, high), self._ends(estimate), strict=True)
        thetas = [estimate, *(end for bound, end in ends if bound is None)]
        cuts = ((self._errors(below), binomial) for below, binomial in map(self._cut, thetas) if binomial)
        return any(self._time(errors, binomial)[0] > IN_BURSTS for errors, binomial in cuts)

    @property
    def _arms(self) -> tuple[_Arm, _Arm]:
        return self.candidate, self.baseline

    @property
    def _sizes(self) -> list[int]:
        return [len(arm.values) for arm in self._arms]

    def _ends(self, estimate: float) -> tuple[float, float]:
        new, old = self.candidate.values, self.baseline.values
        return float(min(new[0] - old[-1], estimate) - 1.0), float(max(new[-1] - old[0], estimate) + 1.0)

    def _bound(self, inside: float, outside: float, level: float) -> float | None:
        side = 0 if outside < inside else 1
        if not _refuses(self.at(outside)(level), side):
            return None
        for _ in range(STEPS):
            middle = (inside + outside) / 2
            if _refuses(self.at(middle)(level), side):
                outside = middle
            else:
                inside = middle
        return inside

    def at(self, theta: float) -> Callable[[float], tuple[float, float]]:
        """Level → the interval of the difference of shares above the pooled quantile, at that θ."""
        (below, binomial), sizes = self._cut(theta), self._sizes
        shares = [1 - under / n for under, n in zip(below, sizes, strict=True)]
        deff, phi, degrees = self._dependence(below, binomial) if binomial else (1.0, 0.0, self.most_degrees)

        def interval(level: float) -> tuple[float, float]:
            t = float(stdtrit(degrees, (1 + level) / 2))
            one, two = (wilson_bounds(p, n / deff, t) for p, n in zip(shares, sizes, strict=True))
            return square_and_add(shares[0], one, shares[1], two, phi)

        return interval

    def _cut(self, theta: float) -> tuple[tuple[int, int], float]:
        """How many answers of each arm are at or below the pooled quantile, and the shares' Σ p(1 − p)/n."""
        below = self._below(theta)
        return below, sum(under * (n - under) / n**3 for under, n in zip(below, self._sizes, strict=True))

    def _errors(self, below: tuple[int, int]) -> list[Floats]:
        """Each arm's errors of its share, one a cell."""
        return [arm.ways.share_errors(under) for arm, under in zip(self._arms, below, strict=True)]

    def _time(self, errors: list[Floats], binomial: float) -> tuple[float, float]:
        """The design effect of time, at least 1, and the degrees of freedom of the blocks behind it."""
        arms = [(arm.ways, arm.ways.by_block(each)) for arm, each in zip(self._arms, errors, strict=True)]
        fine, coarse, quarters = (
            sum(ways.time_variance(sums, blocks) for ways, sums in arms) / binomial
            for blocks in (BLOCKS, BLOCKS // 2, BLOCKS // 4)
        )
        neighbours, own = (sum(float(sums[lag:] @ sums[: BLOCKS - lag]) for _, sums in arms) for lag in (1, 0))
        if neighbours <= ALIKE * own:
            return max(1.0, fine, coarse), DEGREES
        return max(1.0, fine, coarse, quarters, fine * (1 + 2 * neighbours / own)), DEGREES_WHERE_ALIKE

    def _dependence(self, below: tuple[int, int], binomial: float) -> tuple[float, float, float]:
        """The design effect, the correlation of the arms, and the degrees of freedom."""
        errors, sizes = self._errors(below), self._sizes
        time, blocks = self._time(errors, binomial)
        arms = [(arm.ways, each, arm.ways.by_prompt(each)) for arm, each in zip(self._arms, errors, strict=True)]
        prompts = sum(ways.prompt_variance(by_prompt) for ways, _, by_prompt in arms) / binomial
        both = sum(ways.cell_variance(cells) for ways, cells, _ in arms) / binomial
        deff = max(time, prompts, time + prompts - both)
        r = arms_correlation(arms[0][2], arms[1][2], degrees=error_degrees(self.baseline.ways.prompt_sizes))
        few = min(sum(below), sum(sizes) - sum(below)) / len(sizes)
        r -= (1 - r * r) / math.sqrt(few)
        degrees = min(self.most_degrees, blocks * time / (time - 1)) if time > 1 else self.most_degrees
        return deff, max(0.0, min(MOST_ALIKE, r * prompts / (deff * time**2))), degrees

    def _below(self, theta: float) -> tuple[int, int]:
        """How many answers of each arm are at or below the pooled quantile, the candidate's moved by θ."""
        new, old = self.candidate.values, self.baseline.values
        place = min(max(self.q * (len(new) + len(old)) - 0.5, 0.0), len(new) + len(old) - 1.0)
        rank = math.floor(place)
        cut = _ranked(old, new, theta, rank)
        if place > rank:
            cut += (place - rank) * (_ranked(old, new, theta, rank + 1) - cut)
        return _at_or_below(new, theta, cut), _at_or_below(old, 0.0, cut)


def _refuses(interval: tuple[float, float], side: int) -> bool:
    """Whether the interval of the shares' difference refuses a θ that lies below the estimate (0) or above it (1)."""
    return interval[0] > 0 if side == 0 else interval[1] < 0


def _at_or_below(ordered: Floats, theta: float, cut: float) -> int:
    """How many of `ordered` − θ are at or below the cut. Rounding of x − θ ≤ cut and x ≤ cut + θ may differ."""
    at = int(np.searchsorted(ordered, cut + theta, "right"))
    while at < len(ordered) and ordered[at] - theta <= cut:
        at += 1
    while at and ordered[at - 1] - theta > cut:
        at -= 1
    return at


def _ranked(old: Floats, new: Floats, theta: float, rank: int) -> float:
    """The value of that rank, from 0, among `old` and `new` − θ, both ascending: by bisection on how many are `old`."""
    taken = rank + 1
    low, high = max(0, taken - len(new)), min(taken, len(old))
    while low < high:
        middle = (low + high) // 2
        if old[middle] < new[taken - middle - 1] - theta:
            low = middle + 1
        else:
            high = middle
    below = [float(old[low - 1])] if low else []
    return max([*below, float(new[taken - low - 1] - theta)] if taken > low else below)
