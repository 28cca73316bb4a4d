"""Differences of two proportions: paired, paired with repeats or groups, and independent. Candidate − baseline."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtri, stdtrit
from scipy.stats import binom

from harness.analysis.columns import Codes, Floats
from harness.analysis.stats.effect import Effect, invert
from harness.analysis.stats.interval import LEVEL
from harness.analysis.stats.intervals import effective_clusters, error_degrees

FEWEST_FOR_CORRELATION = 10
"""Clusters below which the correlation of two arms is taken one standard error lower: so few do not show it."""

Bounds = tuple[float, float]


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
    low, high = _square_and_add(first, one, second, two, _phi(a, b, c, d))
    return first - second, low, high


def mcnemar_mid_p(candidate_only: int, baseline_only: int) -> float:
    """McNemar's mid-p test of a paired difference, two-sided.

    2·P(X ≤ min(b, c)) − P(X = min(b, c)) with X ~ Bin(b + c, ½); 1 without a discordant pair. Less conservative than
    the exact test, and it keeps its level.

    Source: Fagerland, Lydersen & Laake 2013, BMC Medical Research Methodology 13:91.
    """
    discordant, fewer = candidate_only + baseline_only, min(candidate_only, baseline_only)
    if discordant == 0:
        return 1.0
    return min(1.0, float(2 * binom.cdf(fewer, discordant, 0.5) - binom.pmf(fewer, discordant, 0.5)))


def paired_difference(candidate: Floats, baseline: Floats, level: float = LEVEL) -> Effect:
    """One answer a prompt: aligned 0/1 outcomes. Newcombe's interval and McNemar's mid-p. Raises ValueError on none."""
    a, b = int((candidate * baseline).sum()), int((candidate * (1 - baseline)).sum())
    c, d = int(((1 - candidate) * baseline).sum()), int(((1 - candidate) * (1 - baseline)).sum())
    estimate, low, high = newcombe_paired(a, b, c, d, level)
    return Effect(estimate=estimate, low=low, high=high, p_value=mcnemar_mid_p(b, c), method="newcombe-paired")


def clustered_difference(
    candidate: Floats,
    baseline: Floats,
    clusters: Codes,
    *,
    answers: int,
    level: float = LEVEL,
) -> Effect:
    """Paired difference where prompts were asked several times, or come in groups that share something.

    `candidate`, `baseline`: a prompt's mean outcome in each arm, aligned; `clusters`: codes from 0 of what is
    independent (groups, else prompts); `answers`: of the arm that has fewer, all prompts together.

    Newcombe's square-and-add with, for each arm, Wilson's interval over n_eff = p(1−p)/SE² answers (as
    `stats.clustered_rate`: SE clustered, t quantile of C − 1 degrees of freedom, n_eff from C to `answers`, C where all
    or none passed), and with φ the correlation of the two arms' cluster residuals Σ_c (x − p), below ten clusters less
    its standard error (1 − φ²)/√(C − 1). C is `effective_clusters`, below their number where some are larger. With one
    answer a prompt and no groups it is Newcombe's method 10 but for the continuity correction of φ and the t quantile.
    The p-value is the interval's own, inverted.

    Why not a t interval of the mean difference: with prompts that one arm always passes its error is estimated from the
    few that it does not. At 20 prompts asked 10 times, 85 against 80 % pass, it covers 80 % (docs/statistics.md).

    Source: Newcombe 1998, Statistics in Medicine 17:2635–2650; Zou & Donner 2008, Statistics in Medicine 27:1693–1702
    (square-and-add from any two intervals); Korn & Graubard 1998, Survey Methodology 24:193–201 (n_eff).
    Raises ValueError without a prompt.
    """
    prompts, count = len(candidate), int(clusters.max()) + 1 if len(clusters) else 0
    if not prompts:
        raise ValueError("clustered_difference needs a prompt")
    arms = [(float(outcome.mean()), _residuals(outcome, clusters)) for outcome in (candidate, baseline)]
    members = np.bincount(clusters)
    independent, degrees = effective_clusters(members), error_degrees(members)
    sizes = [_effective(p, residuals, prompts, least=independent, most=max(answers, count)) for p, residuals in arms]
    (first, r1), (second, r2) = arms
    phi = _correlation(r1, r2, degrees=degrees)

    def interval(at: float) -> Bounds:
        z = float(stdtrit(degrees, (1 + at) / 2)) if count > 1 else float(ndtri((1 + at) / 2))
        bounds = [wilson_bounds(p, n, z) for (p, _), n in zip(arms, sizes, strict=True)]
        return _square_and_add(first, bounds[0], second, bounds[1], phi)

    low, high = interval(level)
    return Effect(estimate=first - second, low=low, high=high, p_value=invert(interval), method="newcombe-clustered")


def independent_difference(
    candidate: int, candidate_n: int, baseline: int, baseline_n: int, level: float = LEVEL
) -> Effect:
    """Difference of two independent proportions: Newcombe's hybrid of Wilson intervals, square-and-add with φ = 0.

    low = Δ − √((p1−l1)² + (u2−p2)²), high = Δ + √((u1−p1)² + (p2−l2)²); the p-value is the interval's own, inverted.

    Source: Newcombe 1998, Statistics in Medicine 17:873–890, method 10. Raises ValueError without a trial in each arm.
    """
    if candidate_n < 1 or baseline_n < 1:
        raise ValueError("independent_difference needs a trial in each arm")
    first, second = candidate / candidate_n, baseline / baseline_n

    def interval(at: float) -> Bounds:
        z = float(ndtri((1 + at) / 2))
        return _square_and_add(
            first, wilson_bounds(first, candidate_n, z), second, wilson_bounds(second, baseline_n, z), 0.0
        )

    low, high = interval(level)
    return Effect(estimate=first - second, low=low, high=high, p_value=invert(interval), method="newcombe-independent")


def wilson_bounds(p: float, n: float, z: float) -> Bounds:
    """Wilson's score interval for a share p of n (which need not be whole) at normal or t quantile z."""
    centre, scale = p + z * z / (2 * n), 1 + z * z / n
    reach = z * math.sqrt(max(0.0, p * (1 - p)) / n + z * z / (4 * n * n))
    return (0.0 if p <= 0 else (centre - reach) / scale), (1.0 if p >= 1 else (centre + reach) / scale)


def _square_and_add(first: float, one: Bounds, second: float, two: Bounds, phi: float) -> Bounds:
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


def _residuals(outcome: Floats, clusters: Codes) -> Floats:
    """Σ_c (x − p) of each cluster."""
    residuals: Floats = np.bincount(clusters, weights=outcome - outcome.mean()).astype(np.float64)
    return residuals


def _effective(p: float, residuals: Floats, prompts: int, *, least: float, most: int) -> float:
    """n_eff = p(1−p)/SE², from `least` to `most`."""
    count = len(residuals)
    variance = count / (count - 1) * float(residuals @ residuals) / prompts**2 if count > 1 else 0.0
    spread = p * (1 - p)
    if spread <= 0 or count < 2:
        return least
    return most if variance == 0 else min(most, max(least, spread / variance))


def _correlation(r1: Floats, r2: Floats, *, degrees: float) -> float:
    scale = math.sqrt(float(r1 @ r1) * float(r2 @ r2))
    if scale == 0:
        return 0.0
    phi = max(-1.0, min(1.0, float(r1 @ r2) / scale))
    if phi <= 0 or degrees + 1 >= FEWEST_FOR_CORRELATION:
        return phi
    return max(0.0, phi - (1 - phi * phi) / math.sqrt(degrees))
