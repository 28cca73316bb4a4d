"""Answers that are not independent of each other: of one prompt or group, or of one moment."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, stdtrit

from harness.analysis.columns import Codes, Floats
from harness.analysis.stats.interval import LEVEL, Interval
from harness.analysis.stats.means import Counts, clustered_variance, effective_clusters, error_degrees
from harness.analysis.stats.proportions import rule_of_three, wilson_bounds

BLOCKS = 16
"""Equal blocks of an arm's time; two neighbours at a time make the 8 that catch longer stalls."""
DEGREES = 7.0
"""Of an error that blocks of time alone show: the coarser blocks, less one."""


def _count(sizes: Counts) -> int:
    """How many clusters have an answer."""
    return int(np.count_nonzero(sizes))


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
    """What is not independent among one target's requests: those of one prompt, of one block of time, or of both."""

    cells: Codes
    """One entry a request: its prompt and block at once, from 0."""
    prompts: Codes
    """One entry a cell: its prompt, or the prompt's group."""
    blocks: Codes
    """One entry a cell: its block of time, by `blocks_of`."""

    @classmethod
    def of(cls, prompts: Codes, due_s: Floats) -> Dependence:
        """`prompts`: codes from 0 of what is independent but for time, the prompt or its group."""
        both, cells = np.unique(prompts * BLOCKS + blocks_of(due_s), return_inverse=True)
        return cls(cells=cells, prompts=both // BLOCKS, blocks=both % BLOCKS)

    def select(self, chosen: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Dependence:
        """Of the chosen requests, in that order."""
        return Dependence(cells=self.cells[chosen], prompts=self.prompts, blocks=self.blocks)

    def of_time(self) -> Dependence:
        """As if all requests were of one prompt."""
        return Dependence(cells=self.blocks[self.cells], prompts=np.zeros(BLOCKS, np.int64), blocks=np.arange(BLOCKS))


class Clustering:
    """An arm's answers, in ascending order, clustered by blocks of time, by prompt or group, and both ways at once.

    All three are sums over cells of prompt × block, so that answers are counted once, whatever is asked.
    """

    def __init__(self, answers: Dependence, prompts: int | None = None) -> None:
        """`prompts`: how many there are by these codes, if the arm need not have them all."""
        self._answers, self._prompts = answers, int(answers.prompts.max()) + 1 if prompts is None else prompts
        self._sizes = np.bincount(answers.cells, minlength=len(answers.prompts))
        self.prompt_sizes = self.by_prompt(self._sizes)
        """Answers of each prompt or group; 0 where there are none."""
        by_block = self.by_block(self._sizes)
        self._blocks = {blocks: _count(_merge(by_block, blocks)) for blocks in (4, 8, BLOCKS)}
        self._there, self._cells = _count(self.prompt_sizes), _count(self._sizes)

    def share_errors(self, below: int) -> Floats:
        """Σ (x − share) / n of each cell, x = 1 for all answers but the first `below`. The shorter side is counted."""
        codes, n = self._answers.cells, len(self._answers.cells)
        if 2 * below > n:
            above = np.bincount(codes[below:], minlength=len(self._sizes))
            return np.asarray((above - (1 - below / n) * self._sizes) / n)
        return np.asarray((below / n * self._sizes - np.bincount(codes[:below], minlength=len(self._sizes))) / n)

    def errors(self, of_answers: Floats) -> Floats:
        """The sum of each cell's errors, one an answer."""
        return np.asarray(np.bincount(self._answers.cells, weights=of_answers, minlength=len(self._sizes)))

    def by_block(self, cells: Floats | Codes) -> Floats:
        """The cells' sums by block of time."""
        return np.asarray(np.bincount(self._answers.blocks, weights=cells, minlength=BLOCKS))

    def by_prompt(self, cells: Floats | Codes) -> Floats:
        """The cells' sums by prompt or group."""
        return np.asarray(np.bincount(self._answers.prompts, weights=cells, minlength=self._prompts))

    def time_variance(self, by_block: Floats, blocks: int = BLOCKS) -> float:
        """Of a sum of errors, with so many blocks of time as clusters: 16, 8 or 4."""
        return clustered_variance(_merge(by_block, blocks), self._blocks[blocks])

    def prompt_variance(self, by_prompt: Floats) -> float:
        """The same with prompts or groups as clusters."""
        return clustered_variance(by_prompt, self._there)

    def cell_variance(self, cells: Floats) -> float:
        """The same with cells as clusters."""
        return clustered_variance(cells, self._cells)


def _merge(by_block: Floats, blocks: int) -> Floats:
    """The sums of 16 blocks as those of so many."""
    return np.asarray(by_block.reshape(blocks, -1).sum(axis=1)) if blocks < BLOCKS else by_block


def independent_answers(sizes: Counts) -> int:
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
        ways, self._n = Clustering(answers), len(answers.cells)
        sizes = ways.prompt_sizes[ways.prompt_sizes > 0]
        self.independent = independent_answers(sizes)
        self.several = bool(sizes.max() > 1 and len(sizes) > 1)
        """Whether prompts or groups count."""
        self._degrees = error_degrees(sizes)
        self._ways = ways if self.several else Clustering(answers.of_time())

    def at(self, below: int) -> tuple[float, float]:
        """(deff, degrees of freedom) of the share of answers after the first `below`; 1 where it is 0 or 1."""
        binomial = below * (self._n - below) / self._n**3
        return self._largest(self._ways.share_errors(below), binomial) if binomial else (1.0, math.inf)

    def of(self, errors: Floats, binomial: float) -> tuple[float, float]:
        """(deff, degrees of freedom) of Σ errors, one an answer; `binomial`: its variance were they independent."""
        return self._largest(self._ways.errors(errors), binomial)

    def _largest(self, errors: Floats, binomial: float) -> tuple[float, float]:
        """`errors`: one a cell."""
        ways = self._ways
        by_block = ways.by_block(errors)
        time = max(1.0, *(ways.time_variance(by_block, blocks) / binomial for blocks in (BLOCKS, BLOCKS // 2)))
        degrees = DEGREES * time / (time - 1) if time > 1 else math.inf
        if not self.several:
            return time, degrees
        prompts = ways.prompt_variance(ways.by_prompt(errors)) / binomial
        both = ways.cell_variance(errors) / binomial
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
