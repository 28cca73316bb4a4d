"""Answers that are not independent of each other: of one prompt or group, or of one moment."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, stdtrit

from harness.analysis.columns import Codes, Floats
from harness.analysis.stats.interval import LEVEL, Interval
from harness.analysis.stats.means import effective_clusters, error_degrees
from harness.analysis.stats.proportions import rule_of_three, wilson_bounds

BLOCKS = 16
"""Equal blocks of an arm's time; two neighbours at a time make the 8 that catch longer stalls."""
DEGREES = 7.0
"""Of an error that blocks of time alone show: the coarser blocks, less one."""


class Clusters:
    """One way to cluster an arm's answers, which are in ascending order."""

    def __init__(self, codes: Codes, count: int) -> None:
        self.codes, self.count = codes, count
        self.sizes = np.bincount(codes, minlength=count)
        there = int((self.sizes > 0).sum())
        self.factor = there / (there - 1) if there > 1 else 1.0

    def residuals(self, below: int) -> Floats:
        """Σ (x − share) of each cluster, x = 1 for all answers but the first `below`. The shorter side is counted."""
        share = below / len(self.codes)
        if 2 * share > 1:
            return np.asarray(np.bincount(self.codes[below:], minlength=self.count) - (1 - share) * self.sizes)
        return np.asarray(share * self.sizes - np.bincount(self.codes[:below], minlength=self.count))

    def variance(self, below: int) -> float:
        """Of the share of answers after the first `below`: C/(C−1) · Σ_c (Σ (x − share))² / n²."""
        residuals = self.residuals(below)
        return self.factor * float(residuals @ residuals) / len(self.codes) ** 2


SCATTER, GATHER = 2_654_435_761, 244_002_641
"""Their product is 1 modulo 2³²: a place times the first is another, and times the second the place again."""


def ascending(values: Floats) -> Codes:
    """The places of values, which are not NaN, in ascending order; the 8th digit of a value no longer counts.

    Equal values come in an order that has nothing to do with time, or equal ones would look like a stall. Sorts a place
    beside each value's first 32 bits, which takes a third of the time of `argsort`.
    """
    bits = values.astype(np.float32).view(np.int32)
    key = np.where(bits < 0, bits ^ 0x7FFFFFFF, bits).astype(np.int64)
    scattered = np.arange(len(values)) * SCATTER & 0xFFFFFFFF
    return np.asarray((np.sort(key << 32 | scattered) & 0xFFFFFFFF) * GATHER & 0xFFFFFFFF)


def blocks_of(due_s: Floats) -> Codes:
    """The block of time, 0 … BLOCKS − 1, in which each answer was due: equal parts from the first to the last."""
    due = due_s - due_s.min(initial=np.inf)
    span = float(due.max(initial=0.0))
    if not span:
        return np.zeros(len(due), dtype=np.int64)
    return np.asarray(np.minimum((due / span * BLOCKS).astype(np.int64), BLOCKS - 1))


@dataclass(frozen=True, kw_only=True)
class Dependence:
    """What is not independent among one target's requests; all arrays have one entry a request."""

    prompts: Codes
    """The prompt, or its group."""
    blocks: Codes
    """Of time: `blocks_of`."""
    both: Codes
    """Prompt and block at once, from 0 without gaps."""

    @classmethod
    def of(cls, prompts: Codes, due_s: Floats) -> Dependence:
        """`prompts`: codes from 0 of what is independent but for time, the prompt or its group."""
        blocks = blocks_of(due_s)
        both = np.unique(prompts * BLOCKS + blocks, return_inverse=True)[1]
        return cls(prompts=prompts, blocks=blocks, both=both)

    def select(self, chosen: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Dependence:
        """Of the chosen requests, in that order."""
        return Dependence(prompts=self.prompts[chosen], blocks=self.blocks[chosen], both=self.both[chosen])


def independent_answers(sizes: Codes) -> int:
    """How many answers of prompts or groups are independent but for time; `sizes`: how many each has, at least 1.

    The prompts or groups, fewer where they are of unequal size (`effective_clusters`); all answers where none has
    several, or where there is but one prompt: then they are measured for themselves.
    """
    return round(effective_clusters(sizes)) if sizes.max() > 1 and len(sizes) > 1 else int(sizes.sum())


class DesignEffect:
    """How much more a share of one target's answers varies than one of as many independent answers.

    deff is the largest of D, D_p and D + D_p − D_both: D counts 8 or 16 blocks of time as clusters, whichever says
    more, at least 1; D_p prompts or groups; D_both both at once. Where no prompt or group has two answers, time alone
    counts; so it does where there is but one: then the share is that prompt's own.

    It has 7·D/(D − 1) degrees of freedom, since the binomial part of the error is known; at most those of the prompts
    or groups, where they count; infinitely many where nothing was estimated.

    Source: Cameron, Gelbach & Miller 2011, JBES 29:238–249 (both ways), as in `time_blocks.compare_quantiles`.
    """

    def __init__(self, answers: Dependence) -> None:
        """`answers`: in ascending order, if `at` is to be asked."""
        self._n = len(answers.blocks)
        self._blocks = [Clusters(answers.blocks, BLOCKS), Clusters(answers.blocks // 2, BLOCKS // 2)]
        prompts = Clusters(answers.prompts, int(answers.prompts.max()) + 1)
        sizes = prompts.sizes[prompts.sizes > 0]
        self.independent = independent_answers(sizes)
        self.several = bool(sizes.max() > 1 and len(sizes) > 1)
        """Whether prompts or groups count."""
        self._degrees = error_degrees(sizes)
        self._prompts = [prompts, Clusters(answers.both, int(answers.both.max()) + 1)] if self.several else []

    def at(self, below: int) -> tuple[float, float]:
        """(deff, degrees of freedom) of the share of answers after the first `below`; 1 where it is 0 or 1."""
        binomial = below * (self._n - below) / self._n**3
        return self._largest(lambda way: way.variance(below) / binomial) if binomial else (1.0, math.inf)

    def of(self, errors: Floats, binomial: float) -> tuple[float, float]:
        """(deff, degrees of freedom) of Σ errors, one an answer; `binomial`: its variance were they independent."""

        def ratio(way: Clusters) -> float:
            sums = np.bincount(way.codes, weights=errors)
            return way.factor * float(sums @ sums) / binomial

        return self._largest(ratio)

    def _largest(self, ratio: Callable[[Clusters], float]) -> tuple[float, float]:
        time = max(1.0, *map(ratio, self._blocks))
        degrees = DEGREES * time / (time - 1) if time > 1 else math.inf
        if not self._prompts:
            return time, degrees
        prompts, both = map(ratio, self._prompts)
        return max(time, prompts, time + prompts - both), min(degrees, self._degrees)


def effective_answers(n: float, deff: float, degrees: float, level: float = LEVEL) -> float:
    """How many independent answers n are worth where normal quantiles z are used: n / deff · (z / t)².

    Source: Korn & Graubard 1998, Survey Methodology 24:193–201.
    """
    tail = (1 + level) / 2
    return n / deff if math.isinf(degrees) else n / deff * float(ndtri(tail) / stdtrit(degrees, tail)) ** 2


def success_interval(ok: npt.NDArray[np.bool_], prompts: Codes, dependence: Dependence) -> Interval:
    """The mean over prompts of the share of a prompt's requests that are ok; all arrays have one entry a request.

    `prompts`: codes from 0 without gaps; `dependence` may cluster them by group. Each prompt counts once, as in a pass
    rate. Wilson's interval over the answers that these are worth, as prompts, groups and blocks of time show: failures
    come in bursts. Where none failed, or none was ok, the far bound is the rule of three's, one-sided, which takes
    requests as independent.
    """
    n, sizes = len(ok), np.bincount(prompts)
    weights = 1 / (len(sizes) * sizes[prompts])
    share = float((np.bincount(prompts, weights=ok) / sizes).mean())
    if ok.all() or not ok.any():
        reach = rule_of_three(n)
        return Interval(value=1.0, low=1 - reach, high=1.0) if ok.all() else Interval(value=0.0, low=0.0, high=reach)
    alike = float(weights @ weights)
    deff, degrees = DesignEffect(dependence).of(weights * (ok - share), share * (1 - share) * alike)
    low, high = wilson_bounds(share, effective_answers(1 / alike, deff, degrees), float(ndtri((1 + LEVEL) / 2)))
    return Interval(value=share, low=low, high=high)
