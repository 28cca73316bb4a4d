"""Expected churn: how many prompts change their share of passed answers although the model has not changed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
ALIKE = 1e6
"""Sum of the Beta distribution's parameters where all prompts have the same chance."""


def expected_changes(passed: Counts, answers: Counts, before: Counts, after: Counts) -> float | None:
    """Expected number of prompts whose two shares differ, where both are of one unchanged model; None: unknown.

    One entry a prompt: `passed` of `answers` is what is known of it, from one target in one run; `before`, `after` are
    the answers behind the two shares. Each prompt has a chance p of its own to pass. From the mean of the shares and
    the unbiased mean of v = p(1 − p), which is Σ c(K − c)/(K(K − 1)) over the prompts with K ≥ 2 answers, follows the
    Beta distribution of p with these two moments, and from it the chance that two beta-binomial shares differ. With one
    answer on each side that chance is 2·E[v] whatever the distribution, so the estimate is unbiased; plugging each
    prompt's own share into 2p(1 − p) would be too low by a factor (K − 1)/K. With more answers the shape of the
    distribution matters: docs/calibration.md has the bias.

    Source: Skellam 1948, JRSS B 10:257–261 (beta-binomial, by moments). None: no prompt has two answers.
    """
    known = answers >= 2
    if not known.any():
        return None
    c, k = passed[known].astype(np.float64), answers[known].astype(np.float64)
    mean, varying = float((c / k).mean()), float((c * (k - c) / (k * (k - 1))).mean())
    if varying == 0:
        return 0.0
    total = 0.0
    for first, second, prompts in _sizes(before, after):
        total += prompts * _chance(first, second, mean, varying)
    return total


def _sizes(before: Counts, after: Counts) -> list[tuple[int, int, int]]:
    """(answers before, answers after, prompts with these)."""
    pairs, counts = np.unique(np.stack([before, after]), axis=1, return_counts=True)
    return [(int(a), int(b), int(n)) for (a, b), n in zip(pairs.T, counts, strict=True) if a and b]


def _chance(first: int, second: int, mean: float, varying: float) -> float:
    """That a share of `first` answers differs from one of `second`, p being Beta-distributed with these moments."""
    from scipy.special import betaln

    if first == second == 1:
        return 2 * varying
    spread = mean * (1 - mean) - varying
    x = np.arange(first + 1)
    x = x[(x * second) % first == 0]
    y = x * second // first
    size = min(varying / spread, ALIKE) if spread > 0 else ALIKE
    if spread <= 0:  # prompts that differ by less than nothing: all alike, with this v
        mean = 0.5 + np.copysign(max(0.0, 0.25 - varying) ** 0.5, mean - 0.5)
    alpha, beta = mean * size, (1 - mean) * size
    ways = _log_choose(first, x) + _log_choose(second, y)
    same = np.exp(ways + betaln(alpha + x + y, beta + first + second - x - y) - betaln(alpha, beta)).sum()
    return float(np.clip(1 - same, 0.0, 1.0))


def _log_choose(n: int, k: Counts) -> npt.NDArray[np.float64]:
    from scipy.special import gammaln

    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)  # type: ignore[no-any-return]
