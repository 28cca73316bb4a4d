"""How many prompts a verdict needs, and which differences a suite can detect, before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.special import ndtri

from harness.analysis.stats.interval import LEVEL
from harness.analysis.stats.quantiles import samples_for_quantile

ALPHA = 1 - LEVEL
POWER = 0.80

DISCORDANCE = 0.20
"""Assumed share of prompts on which two equally good models disagree."""
TIME_EFFECT = 1.4
"""Design effect of a latency where nothing stalls: an estimate that is never below 1 is above it by chance. So many
times the n of `samples_for_ratio`, which counts independent samples, finds what it promises."""
MOST_PROMPTS = 10_000_000


def pairs_for_difference(difference: float, discordance: float, *, alpha: float = ALPHA, power: float = POWER) -> int:
    """Prompts, asked once, that show a paired difference of two rates: McNemar's test, two-sided.

    n = (z_{α/2}·√p_d + z_β·√(p_d − Δ²))² / Δ², p_d the share of discordant prompts, at least |Δ|.

    Source: Connor 1987, Biometrics 43:207–211. Raises ValueError unless 0 < Δ ≤ p_d ≤ 1.
    """
    if not 0 < difference <= discordance <= 1:
        raise ValueError(f"a difference of {difference} needs a discordance from it to 1, not {discordance}")
    z, z_beta = _z(alpha / 2), float(ndtri(power))
    spread = z * math.sqrt(discordance) + z_beta * math.sqrt(max(0.0, discordance - difference**2))
    return _up(spread**2 / difference**2)


def pairs_to_rule_out(margin: float, discordance: float, *, alpha: float = ALPHA / 2, power: float = POWER) -> int:
    """Prompts, asked once, that show a candidate not worse than the margin where there is no difference.

    n = (z_α + z_β)²·p_d / m², one-sided. The verdict's α is 2.5 %: its interval of 95 % must end below the margin.

    Source: Liu, Hsueh, Hsieh & Chen 2002, Statistics in Medicine 21:231–245. Raises ValueError unless m > 0.
    """
    if margin <= 0:
        raise ValueError(f"a margin is more than 0, not {margin}")
    return _up((_z(alpha) + float(ndtri(power))) ** 2 * discordance / margin**2)


def discordance_at(difference: float, discordance: float) -> float:
    """Share of prompts on which two models disagree if one is worse by `difference`: its losses come on top.

    Equally good models gain and lose p_d/2 each; one that is worse by Δ gains as many and loses Δ more. Two models of
    90 % and 80 % that err independently disagree on 26 %, two of 90 % on 18 %.
    """
    return min(1.0, discordance + difference)


def detectable_difference(
    n: float, *, discordance: float = DISCORDANCE, margin: float = 0.0, alpha: float, power: float = POWER
) -> float | None:
    """The smallest paired difference of two rates that n prompts show: `pairs_for_difference` solved for Δ.

    `discordance` is that of equally good models, see `discordance_at`. With a margin the estimate must also reach it:
    Δ ≥ m + z_β·√((p_d − Δ²)/n). None: n shows no difference at all.
    """
    z_beta = float(ndtri(power))

    def shows(difference: float) -> bool:
        p_d = discordance_at(difference, discordance)
        reached = margin + z_beta * math.sqrt(max(0.0, p_d - difference**2) / n)
        return difference >= reached and pairs_for_difference(difference, p_d, alpha=alpha, power=power) <= n

    return _smallest(shows) if n else None


def quantile_ratio_error(q: float, samples: float, *, spread: float) -> float:
    """The standard error of ln(q_candidate / q_baseline) with so many independent samples in each arm.

    √2 · √(q(1−q)) / φ(z_q) · σ / √n for latencies whose logs are normal with standard deviation `spread`; pairing
    makes it smaller, so this errs on the safe side.

    Source: Mosteller 1946, Annals of Mathematical Statistics 17:377–408 (asymptotic variance of a quantile).
    """
    density = math.exp(-(float(ndtri(q)) ** 2) / 2) / math.sqrt(2 * math.pi)
    return math.sqrt(2) * math.sqrt(q * (1 - q)) / density * spread / math.sqrt(samples)


def samples_for_ratio(q: float, log_margin: float, *, spread: float, alpha: float, power: float = POWER) -> int:
    """Independent samples in each arm at which a log ratio of that size is z_α + z_β standard errors; α is one-sided.

    At least as many as the q-quantile needs to have bounds (`samples_for_quantile`).
    """
    wanted = (_z(alpha) + float(ndtri(power))) * quantile_ratio_error(q, 1, spread=spread) / log_margin
    return max(samples_for_quantile(q), _up(wanted**2))


def none_in(margin: float, alpha: float = ALPHA) -> int:
    """Prompts without any failure on either side whose interval ends below the margin: z²(1−m)/m, Wilson's at p = 0."""
    return _up(_z(alpha / 2) ** 2 * (1 - margin) / margin) + 1


def _smallest(shows: Callable[[float], bool]) -> float | None:
    """The smallest share that `shows`, to 0.0001, by bisection. None: not even 1."""
    low, high = 0.0, 1.0
    if not shows(high):
        return None
    while high - low > 1e-5:
        middle = (low + high) / 2
        if shows(middle):
            high = middle
        else:
            low = middle
    return high


def _z(tail: float) -> float:
    return float(ndtri(1 - tail))


def _up(wanted: float) -> int:
    """Rounded up; a hair above a whole number is that number."""
    return min(MOST_PROMPTS, math.ceil(wanted - 1e-9))
