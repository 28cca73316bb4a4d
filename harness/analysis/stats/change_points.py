"""Where a series of runs changed its level: PELT proposes, a minimum effect and a permutation test decide."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from harness.analysis.columns import Floats

FEWEST_RUNS = 15
"""Shorter series are not searched."""
SHORTEST = 3
"""Fewest runs on either side of a change: a single outlier is not a change."""
ALPHA = 0.01
"""Level of the permutation tests of a series' changes, together."""
PERMUTATIONS = 999
PENALTY = 3.0
"""Of PELT, in variances of the noise × ln n: low, since the test removes cuts that it proposes in excess."""
SEED = 20261122

IsChange = Callable[[float, float], bool]
"""Whether a change from one median to another is large enough to be reported."""


def find_change_points(values: Sequence[float], is_change: IsChange, *, log: bool = False) -> list[int]:
    """Indices at which a new level begins, ascending; empty below FEWEST_RUNS values.

    PELT with squared error cuts the series (after its logarithm, where `log` and all values are positive); the noise is
    half the mean square of successive differences, which a change of level hardly moves. A cut then stays only if the
    medians of the two segments beside it differ by enough (`is_change`), and if at most 1 % (shared by the remaining
    cuts) of 999 random orders of their runs separate as far at their best cut. The cut with the largest p-value is
    removed first, and the cuts beside it are tested again.

    So a stationary series shows a change in about 1 % of cases, whatever the shape of its noise, and less often where
    the noise is smaller than such a change. Runs count as exchangeable: a daily rhythm may be reported as changes. Slow
    drift appears as one or more steps.

    Source: Killick, Fearnhead & Eckley 2012, JASA 107:1590–1598 (PELT); Antoch & Hušková 2001, Statistics &
    Probability Letters 53:37–46 (permutation tests of change points).
    """
    if len(values) < FEWEST_RUNS:
        return []
    raw = np.asarray(values, dtype=np.float64)
    series = np.log(raw) if log and raw.min() > 0 else raw
    cuts = [0, *_propose(series), len(series)]
    while len(cuts) > 2:
        p_values = [(_p_value(raw, series, cuts[k - 1 : k + 2], is_change), k) for k in range(1, len(cuts) - 1)]
        largest, worst = max(p_values)
        if largest <= ALPHA / len(p_values):
            break
        del cuts[worst]
    return cuts[1:-1]


def _propose(series: Floats) -> list[int]:
    """PELT's cuts; none in a series that never changes."""
    from ruptures import KernelCPD

    noise = float(np.mean(np.diff(series) ** 2)) / 2
    if noise <= (1e-9 * float(np.abs(series).max())) ** 2:
        return []
    search = KernelCPD(kernel="linear", min_size=SHORTEST).fit(series.reshape(-1, 1))  # PELT, in C
    return [int(end) for end in search.predict(pen=PENALTY * noise * math.log(len(series)))[:-1]]


def _p_value(raw: Floats, series: Floats, cuts: Sequence[int], is_change: IsChange) -> float:
    """p-value of the middle one of three cuts; 1 where the change is too small."""
    start, cut, end = cuts
    if not is_change(float(np.median(raw[start:cut])), float(np.median(raw[cut:end]))):
        return 1.0
    both = series[start:end]
    orders = np.random.default_rng(SEED).permuted(np.tile(both, (PERMUTATIONS, 1)), axis=1)
    as_far = _best_separation(orders) >= _best_separation(both[None, :])[0] * (1 - 1e-9)
    return (1 + int(as_far.sum())) / (1 + PERMUTATIONS)


def _best_separation(rows: Floats) -> Floats:
    """Of each row the largest sum of squares between the two segments that a single cut makes."""
    n = rows.shape[1]
    at = np.arange(SHORTEST, n - SHORTEST + 1)
    sums = np.cumsum(rows - rows.mean(axis=1, keepdims=True), axis=1)[:, at - 1]
    largest: Floats = (sums**2 * n / (at * (n - at))).max(axis=1)
    return largest
