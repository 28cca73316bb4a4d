"""The spread between runs: what a run's hour adds to its value, and a difference of two runs that counts it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from scipy.special import stdtr, stdtrit

from harness.analysis.stats.interval import LEVEL, Effect


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """A standard deviation and the degrees of freedom that it rests on."""

    sd: float
    degrees: float


def spread_of_runs(values: Sequence[float]) -> Spread:
    """s of one value a run, with k − 1 degrees of freedom: s² = Σ (x − x̄)² / (k − 1). Raises ValueError below two runs.

    It estimates √(τ² + w²) of the random-effects model x = μ + b + e, b ~ N(0, τ²) the run's hour and e ~ N(0, w²) its
    own error: what another run of the same kind differs by. τ² is not taken apart from w². The interval that a summary
    has for its value holds the choice of prompts as well, which every run of a suite shares, so s² less that interval's
    variance is too small: 83 % of intervals then hold the truth where prompts differ much (docs/calibration.md).

    Source: DerSimonian & Laird 1986, Controlled Clinical Trials 7:177–188 (the model); Hahn & Meeker 1991, Statistical
    Intervals, section 4.8 (intervals for later samples).
    """
    if len(values) < 2:
        raise ValueError("spread_of_runs needs two runs")
    return Spread(sd=float(np.std(values, ddof=1)), degrees=len(values) - 1.0)


def spread_of_difference(candidate: Spread, baseline: Spread, *, same: bool = False) -> Spread:
    """Of a value of one run less one of another: √(s₁² + s₂²), with Welch's degrees of freedom.

    `same`: both are one estimate, of the same runs: √2·s with its own degrees of freedom.

    Source: Welch 1947, Biometrika 34:28–35; Satterthwaite 1946, Biometrics Bulletin 2:110–114.
    """
    one, two = candidate.sd**2, baseline.sd**2
    if same or one + two == 0:
        return Spread(sd=math.sqrt(one + two), degrees=min(candidate.degrees, baseline.degrees))
    degrees = (one + two) ** 2 / (one**2 / candidate.degrees + two**2 / baseline.degrees)
    return Spread(sd=math.sqrt(one + two), degrees=degrees)


def pairs_apart(candidate: Sequence[float], baseline: Sequence[float], *, same: bool = False) -> float:
    """What two earlier runs rarely differ by: the quantile of level + ½/k of |x − y| over pairs of k runs.

    Bad hours are rare and large, and no bell: where one earlier run of twenty had one, √2·s is too small for a pair of
    a good and a bad one. `same`: both are values of the same runs; else each is taken from its own median.

    The level was chosen by coverage (docs/calibration.md). Raises ValueError below two runs.
    """
    new, old = (np.asarray(values, dtype=np.float64) for values in (candidate, baseline))
    if min(len(new), len(old)) < 2:
        raise ValueError("pairs_apart needs two runs")
    if same:
        one, other = np.triu_indices(len(new), 1)
        apart = new[one] - new[other]
    else:
        apart = (new - np.median(new))[:, None] - (old - np.median(old))
    return float(np.quantile(np.abs(apart), min(1.0, LEVEL + 0.5 / min(len(new), len(old)))))


def count_spread(within: Effect, between: Spread, *, at_least: float = 0.0, level: float = LEVEL) -> Effect:
    """A difference of two runs that counts the spread between runs: the wider of two intervals on each side.

    `within`: the difference with the error inside the two runs. `between`: the spread of such a difference over pairs
    of runs, for d ± t(degrees)·sd, or d ± `at_least` if that is wider (`pairs_apart`). The spread already holds each
    earlier run's own error, so adding the error within would count it twice (up to 99.9 % coverage); the wider of the
    two holds the truth in 94 to 98 % where runs differ. Where they do not it holds it in more, since it is never
    narrower than `within`. A bound that `within` does not give stays away. The p-value is the larger of the two tests'.
    """
    reach = max(at_least, float(stdtrit(between.degrees, (1 + level) / 2)) * between.sd)
    p_value = within.p_value
    if p_value is not None and between.sd > 0:
        p_value = max(p_value, float(2 * stdtr(between.degrees, -abs(within.estimate) / between.sd)))
    return msgspec.structs.replace(
        within,
        low=None if within.low is None else min(within.low, within.estimate - reach),
        high=None if within.high is None else max(within.high, within.estimate + reach),
        p_value=p_value,
    )
