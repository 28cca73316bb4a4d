"""Proportions, and differences of two: paired, and paired with repeats or groups. Candidate − baseline."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import betainc, ndtri, stdtrit

from harness.analysis.columns import Codes, Floats
from harness.analysis.stats.interval import LEVEL, Effect, Interval, invert
from harness.analysis.stats.means import Counts, clustered_variance, effective_clusters, error_degrees

FEWEST_FOR_CORRELATION = 10
"""With fewer clusters, the correlation of two arms is lowered by one standard error, since it is hard to estimate."""

Bounds = tuple[float, float]


def wilson(passed: int, n: int, level: float = LEVEL) -> Interval:
    """A proportion with Wilson's score interval.

    (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n) with p = passed / n and z the normal quantile at (1 + level) / 2.
    It stays inside 0 … 1 and holds its level at small n, where p ± z·√(p(1−p)/n) does not.
    Requests count as independent; for repeats of prompts, see `clustered_rate`.

    Source: Wilson 1927, JASA 22:209–212; Newcombe 1998, Statistics in Medicine 17:857–872, method 3.
    Raises ValueError unless 0 ≤ passed ≤ n and n ≥ 1.
    """
    if not 0 <= passed <= n or n < 1:
        raise ValueError(f"wilson needs 0 <= passed <= n and n >= 1, not {passed} of {n}")
    low, high = wilson_bounds(passed / n, n, float(ndtri((1 + level) / 2)))
    return Interval(value=passed / n, low=low, high=high)


def wilson_bounds(p: float, n: float, z: float) -> Bounds:
    """Wilson's score interval for a share p of n (which need not be whole) at normal or t quantile z."""
    centre, scale = p + z * z / (2 * n), 1 + z * z / n
    reach = z * math.sqrt(max(0.0, p * (1 - p)) / n + z * z / (4 * n * n))
    return (0.0 if p <= 0 else (centre - reach) / scale), (1.0 if p >= 1 else (centre + reach) / scale)


def clustered_rate(sums: Counts, sizes: Counts, *, answers: float | None = None, level: float = LEVEL) -> Interval:
    """Σ sums / Σ sizes, a proportion of outcomes that are not independent: one entry a cluster.

    `sums`: of a cluster's outcomes, each 0 … 1; `sizes`: their number (prompts of a group, or answers to a prompt);
    `answers`: the number of answers behind all outcomes, if an outcome is a mean of several. Default: one each.

    Repeating a prompt says little about other prompts, so Wilson's interval over all answers is too narrow: with
    repeats that always agree, 12 prompts with 6 answers each cover 53 % instead of 95 %. `clustered_share` has the
    formula. With one answer a cluster it is Wilson's interval.

    Raises ValueError unless every cluster has an outcome and there is one.
    """
    if len(sizes) == 0 or sizes.min() < 1:
        raise ValueError("clustered_rate needs clusters with at least one answer each")
    rate = clustered_share(sums, sizes, answers=answers)
    low, high = rate.bounds(level)
    return Interval(value=rate.share, low=low, high=high)


@dataclass(frozen=True, kw_only=True)
class ClusteredShare:
    """A proportion over clusters, and how many independent answers it is worth."""

    share: float
    residuals: Floats
    """Σ (x − share) of each cluster."""
    n_eff: float
    degrees: float | None
    """Of the error behind `n_eff`; None: no error was estimated."""

    def bounds(self, level: float) -> Bounds:
        tail = (1 + level) / 2
        z = ndtri(tail) if self.degrees is None else stdtrit(self.degrees, tail)
        return wilson_bounds(self.share, self.n_eff, float(z))


def clustered_share(sums: Counts, sizes: Counts, *, answers: float | None = None) -> ClusteredShare:
    """Wilson's interval over n_eff = p(1−p) / SE² answers, with the t quantile of `error_degrees`.

    SE² = C/(C−1) · Σ_c (Σ (x − p))² / n² over C clusters of n outcomes; n_eff is at least C and at most `answers`. C is
    `effective_clusters`: their number, or less if some are larger. If no error can be estimated (all or none passed, or
    there is one cluster) or none is needed (one answer a cluster), each cluster counts as one answer, as in Wilson's
    own interval with its normal quantile.

    Source: Korn & Graubard 1998, Survey Methodology 24:193–201 (effective sample size); Miller 2024, arXiv 2411.00640.
    """
    clusters, n, least = len(sizes), float(sizes.sum()), effective_clusters(sizes)
    answers = n if answers is None else answers
    p = float(sums.sum()) / n
    residuals: Floats = (sums - p * sizes).astype(np.float64)
    if clusters < 2 or p <= 0 or p >= 1 or answers <= clusters:
        return ClusteredShare(share=p, residuals=residuals, n_eff=least, degrees=None)
    variance = clustered_variance(residuals, clusters) / n**2
    n_eff = answers if variance == 0 else min(answers, max(least, p * (1 - p) / variance))
    return ClusteredShare(share=p, residuals=residuals, n_eff=n_eff, degrees=error_degrees(sizes))


def rule_of_three(n: int, level: float = LEVEL) -> float:
    """Upper bound of a rate after no event in n: −ln(1 − level) / n, which is 3 / n at 95 %; at most 1, also for n = 0.

    The exact bound, 1 − (1 − level)^(1/n), is a little lower, so this one errs on the safe side. It is one-sided.

    Source: Hanley & Lippman-Hand 1983, JAMA 249:1743–1745.
    """
    return 1.0 if n == 0 else min(1.0, -math.log(1 - level) / n)


def newcombe_paired(
    both: int, candidate_only: int, baseline_only: int, neither: int, level: float = LEVEL
) -> tuple[float, float, float]:
    """Paired difference of two proportions (estimate, low, high): Newcombe's method 10.

    Of n = a + b + c + d pairs a pass on both sides, b only the candidate, c only the baseline, d neither. With
    p1 = (a+b)/n, p2 = (a+c)/n, Wilson's [l, u] of each, Δ = p1 − p2 and φ the correlation of the 2×2 table,

        low  = Δ − √((p1−l1)² − 2φ(p1−l1)(u2−p2) + (u2−p2)²)
        high = Δ + √((u1−p1)² − 2φ(u1−p1)(p2−l2) + (p2−l2)²)

    φ = (ad − bc) / √((a+b)(c+d)(a+c)(b+d)), its numerator less n/2 where it is above that, 0 where it is between 0 and
    n/2, and φ = 0 where a margin is empty.

    Source: Newcombe 1998, Statistics in Medicine 17:2635–2650, method 10. Raises ValueError without a pair.
    """
    a, b, c, d = both, candidate_only, baseline_only, neither
    n = a + b + c + d
    if n < 1 or min(a, b, c, d) < 0:
        raise ValueError(f"newcombe_paired needs counts of at least one pair, not {(a, b, c, d)}")
    z = float(ndtri((1 + level) / 2))
    first, second = (a + b) / n, (a + c) / n
    one, two = (wilson_bounds(p, n, z) for p in (first, second))
    low, high = square_and_add(first, one, second, two, _phi(a, b, c, d))
    return first - second, low, high


def mcnemar_mid_p(candidate_only: int, baseline_only: int) -> float:
    """McNemar's mid-p test of a paired difference, two-sided.

    2·P(X ≤ k) − P(X = k) = P(X ≤ k) + P(X ≤ k − 1) with k = min(b, c) and X ~ Bin(b + c, ½); 1 without a discordant
    pair. P(X ≤ k) is the incomplete beta function I_½(b + c − k, k + 1). Less conservative than the exact test, and it
    keeps its level.

    Source: Fagerland, Lydersen & Laake 2013, BMC Medical Research Methodology 13:91.
    """
    discordant, fewer = candidate_only + baseline_only, min(candidate_only, baseline_only)
    if discordant == 0:
        return 1.0
    below = betainc(discordant - fewer + 1, fewer, 0.5) if fewer else 0.0
    return min(1.0, float(betainc(discordant - fewer, fewer + 1, 0.5) + below))


def paired_difference(candidate: Floats, baseline: Floats, level: float = LEVEL) -> Effect:
    """One answer a prompt: aligned 0/1 outcomes. Newcombe's interval and McNemar's mid-p. Raises ValueError on none."""
    a, b, c, d = _table(candidate, baseline)
    estimate, low, high = newcombe_paired(a, b, c, d, level)
    return Effect(estimate=estimate, low=low, high=high, p_value=mcnemar_mid_p(b, c), method="newcombe-paired")


def _table(candidate: Floats, baseline: Floats) -> tuple[int, int, int, int]:
    """How many of both, of the candidate alone, of the baseline alone, of neither."""
    a, b = int((candidate * baseline).sum()), int((candidate * (1 - baseline)).sum())
    c, d = int(((1 - candidate) * baseline).sum()), int(((1 - candidate) * (1 - baseline)).sum())
    return a, b, c, d


def paired_interval(candidate: Floats, baseline: Floats) -> Callable[[float], Bounds]:
    """Level → Newcombe's interval of `paired_difference`."""
    table = _table(candidate, baseline)
    return lambda level: newcombe_paired(*table, level)[1:]


def clustered_difference(
    candidate: Floats,
    baseline: Floats,
    clusters: Codes,
    *,
    answers: int,
    level: float = LEVEL,
) -> Effect:
    """Paired difference of prompts with several answers, or in groups that are not independent.

    `candidate`, `baseline`: a prompt's mean outcome in each arm, aligned; `clusters`: codes from 0 of what is
    independent (groups, else prompts); `answers`: the total of the arm that has fewer.

    Newcombe's square-and-add of each arm's own interval (that of `clustered_rate`), with φ the correlation of the two
    arms' cluster residuals Σ_c (x − p), below ten clusters less its standard error (1 − φ²)/√(C − 1). With one answer a
    prompt and no groups it is Newcombe's method 10 but for the continuity correction of φ. The p-value is the
    interval's own, inverted.

    Why not a t interval of the mean difference: if one arm passes most prompts always, its error is estimated from the
    few others. With 20 prompts of 10 answers, 85 against 80 % pass, it covers 80 % (docs/calibration.md).

    Source: Newcombe 1998, Statistics in Medicine 17:2635–2650; Zou & Donner 2008, Statistics in Medicine 27:1693–1702
    (square-and-add from any two intervals); Korn & Graubard 1998, Survey Methodology 24:193–201 (n_eff).
    Raises ValueError without a prompt.
    """
    if not len(candidate):
        raise ValueError("clustered_difference needs a prompt")
    interval = clustered_interval(candidate, baseline, clusters, answers=answers)
    return effect_of(float(candidate.mean() - baseline.mean()), interval, level=level)


def clustered_interval(
    candidate: Floats, baseline: Floats, clusters: Codes, *, answers: int
) -> Callable[[float], Bounds]:
    """Level → the interval of `clustered_difference`."""
    sizes = np.bincount(clusters)
    shares = (np.bincount(clusters, weights=each) for each in (candidate, baseline))
    arms = [clustered_share(each, sizes, answers=answers) for each in shares]
    return _of_two(arms[0], arms[1], degrees=error_degrees(sizes))


@dataclass(frozen=True, kw_only=True)
class Events:
    """One arm's events among its trials, such as throttled attempts among all attempts: one entry a cluster."""

    events: Counts
    trials: Counts

    @property
    def share(self) -> float:
        return float(self.events.sum() / self.trials.sum())


def events_interval(candidate: Events, baseline: Events) -> Callable[[float], Bounds]:
    """Level → the interval of the difference of two shares Σ events / Σ trials over the same clusters (≥ 1 trial each).

    As that of `clustered_difference`, but that a cluster weighs as its trials do, and the arms may differ in these.
    """
    arms = [
        clustered_share(each.events, each.trials, answers=float(each.trials.sum())) for each in (candidate, baseline)
    ]
    degrees = min(error_degrees(each.trials) for each in (candidate, baseline))
    return _of_two(arms[0], arms[1], degrees=degrees)


def _of_two(first: ClusteredShare, second: ClusteredShare, *, degrees: float) -> Callable[[float], Bounds]:
    phi = arms_correlation(first.residuals, second.residuals, degrees=degrees)
    return lambda at: square_and_add(first.share, first.bounds(at), second.share, second.bounds(at), phi)


def effect_of(estimate: float, interval: Callable[[float], Bounds], *, level: float = LEVEL) -> Effect:
    """A clustered difference with its interval, whose p-value is the interval's own, inverted."""
    low, high = interval(level)
    return Effect(estimate=estimate, low=low, high=high, p_value=invert(interval), method="newcombe-clustered")


def square_and_add(first: float, one: Bounds, second: float, two: Bounds, phi: float) -> Bounds:
    """The interval of first − second from each one's own bounds and their correlation, as in `newcombe_paired`."""
    (l1, u1), (l2, u2) = one, two
    down, up = (first - l1, u2 - second), (u1 - first, second - l2)
    reach = [math.sqrt(max(0.0, x * x - 2 * phi * x * y + y * y)) for x, y in (down, up)]
    return max(-1.0, first - second - reach[0]), min(1.0, first - second + reach[1])


def _phi(a: int, b: int, c: int, d: int) -> float:
    spread = (a + b) * (c + d) * (a + c) * (b + d)
    if spread == 0:
        return 0.0
    n, top = a + b + c + d, float(a * d - b * c)
    corrected = top if top < 0 else max(0.0, top - n / 2)
    return corrected / math.sqrt(spread)


def arms_correlation(r1: Floats, r2: Floats, *, degrees: float) -> float:
    """Of two arms' cluster residuals: below ten clusters (`degrees` + 1) less its standard error."""
    scale = math.sqrt(float(r1 @ r1) * float(r2 @ r2))
    if scale == 0:
        return 0.0
    phi = max(-1.0, min(1.0, float(r1 @ r2) / scale))
    if phi <= 0 or degrees + 1 >= FEWEST_FOR_CORRELATION:
        return phi
    return max(0.0, phi - (1 - phi * phi) / math.sqrt(degrees))


STEPS_AT_ONCE = 256
"""Of a product over answers; it may have thousands of factors, and is over once it is 0."""


def pass_at_k(answers: Codes, passed: Codes, k: int) -> Floats:
    """By prompt: the chance that at least one of k answers passes, 1 − C(n−c, k)/C(n, k); NaN with fewer than k.

    n answers of which c passed, one entry a prompt. Unbiased, which 1 − (1 − c/n)^k is not.

    Source: Chen et al. 2021, Evaluating Large Language Models Trained on Code, arXiv 2107.03374.
    """
    return 1 - _all_of(answers, answers - passed, k)


def pass_all_k(answers: Codes, passed: Codes, k: int) -> Floats:
    """By prompt: the chance that all of k answers pass, pass^k = C(c, k)/C(n, k); NaN with fewer than k answers.

    Source: Yao et al. 2024, τ-bench, arXiv 2406.12045.
    """
    return _all_of(answers, passed, k)


def _all_of(answers: Codes, hits: Codes, k: int) -> Floats:
    """C(hits, k)/C(answers, k) = Π_{i<k} (hits − i)/(answers − i)."""
    share = np.ones(len(answers))
    for start in range(0, k, STEPS_AT_ONCE):
        i = np.arange(start, min(k, start + STEPS_AT_ONCE))[:, np.newaxis]
        for above, below in zip(np.maximum(hits - i, 0.0), np.maximum(answers - i, 1.0), strict=True):
            share *= above
            share /= below
        if not share.any():
            break
    share[answers < k] = np.nan
    return share
