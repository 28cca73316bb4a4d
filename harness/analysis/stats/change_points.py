"""Where a series of runs changed its level: PELT proposes, a minimum effect and a permutation test decide."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from harness.analysis.columns import Floats

FEWEST_RUNS = 15
"""Runs below which no series is searched."""
SHORTEST = 3
"""Runs on either side of a change: a single odd run is none."""
ALPHA = 0.01
"""Level of the permutation tests of a series' changes, together."""
PERMUTATIONS = 999
PENALTY = 3.0
"""Of PELT, in variances of the noise × ln n: low, since what it proposes too much the test takes back."""
SEED = 20261122

IsChange = Callable[[float, float], bool]
"""Whether a change from one median to another is large enough to be reported."""


def find_change_points(values: Sequence[float], is_change: IsChange, *, log: bool = False) -> list[int]:
    """Indices at which a new level begins, ascending; empty below FEWEST_RUNS values.

    PELT with squared error cuts the series (after its logarithm, where `log` and all values are positive); the noise is
    half the mean square of neighbours' differences, which a change of level hardly moves. A cut then stays only when
    the medians of the two stretches that it parts differ by enough (`is_change`), and when of 999 random orders of
    their runs at most 1 % (shared by the cuts that are left) part as far by their best cut. The worst cut goes first,
    and its neighbours are looked at again.

    So a stationary series shows a change in about 1 % of cases, whatever the shape of its noise, and less often where
    the noise is smaller than such a change. Runs count as exchangeable: a daily rhythm in them may be reported as
    changes. Slow drift comes out as one or more steps.

    Source: Killick, Fearnhead & Eckley 2012, JASA 107:1590–1598 (PELT); Antoch & Hušková 2001, Statistics &
    Probability Letters 53:37–46 (permutation tests of change points).
    """
    if len(values) < FEWEST_RUNS:
        return []
    raw = np.asarray(values, dtype=np.float64)
    series = np.log(raw) if log and raw.min() > 0 else raw
    cuts = [0, *_propose(series), len(series)]
    while len(cuts) > 2:
        doubts = [(_doubt(raw, series, cuts[k - 1 : k + 2], is_change), k) for k in range(1, len(cuts) - 1)]
        doubt, worst = max(doubts)
        if doubt <= ALPHA / len(doubts):
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


def _doubt(raw: Floats, series: Floats, cuts: Sequence[int], is_change: IsChange) -> float:
    """p-value of the middle one of three cuts; 1 where the change is too small."""
    start, cut, end = cuts
    if not is_change(float(np.median(raw[start:cut])), float(np.median(raw[cut:end]))):
        return 1.0
    both = series[start:end]
    orders = np.random.default_rng(SEED).permuted(np.tile(both, (PERMUTATIONS, 1)), axis=1)
    as_far = _furthest_parted(orders) >= _furthest_parted(both[None, :])[0] * (1 - 1e-9)
    return (1 + int(as_far.sum())) / (1 + PERMUTATIONS)


def _furthest_parted(rows: Floats) -> Floats:
    """Of each row the largest sum of squares between two stretches that one cut makes of it."""
    n = rows.shape[1]
    at = np.arange(SHORTEST, n - SHORTEST + 1)
    sums = np.cumsum(rows - rows.mean(axis=1, keepdims=True), axis=1)[:, at - 1]
    furthest: Floats = (sums**2 * n / (at * (n - at))).max(axis=1)
    return furthest
