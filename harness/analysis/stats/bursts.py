"""Rates whose events come in bursts: what time adds to the error of a difference of two shares."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace
from scipy.special import ndtri, stdtrit

from harness.analysis.columns import Codes, Floats
from harness.analysis.stats.clusters import BLOCKS, DEGREES, blocks_of
from harness.analysis.stats.interval import LEVEL, Effect, invert
from harness.analysis.stats.means import clustered_variance
from harness.analysis.stats.proportions import Bounds
from harness.analysis.stats.time_blocks import METHOD

BY_CHANCE = 0.5
"""Standard errors of a variance between blocks that are not counted: independent events differ by chance as well."""

ROUNDING = 1e-9
"""Relative to the variance without time: less than this is rounding."""


@dataclass(frozen=True, kw_only=True)
class Shares:
    """One arm of a difference of two shares. All arrays have one entry a request."""

    parts: Floats
    """What the request adds to the arm's share beyond the share itself, such as (failed − share) / n. They sum to 0."""
    clusters: Codes
    """Prompt or group, by the same codes in both arms."""
    due_s: Floats


@dataclass(frozen=True, kw_only=True)
class TimeError:
    """What bursts add to the error of a difference of shares."""

    variance: float
    """0: nothing."""
    degrees: float
    """Of freedom."""


def time_error(candidate: Shares, baseline: Shares, *, together: bool) -> TimeError:
    """How much more the difference of two shares varies because their events come in bursts.

    V_time − V_cell, both clustered variances of candidate − baseline, which add to what prompts or groups show
    (V_prompt + V_time − V_cell counts both ways at once). V_time has equal blocks of time as clusters: 16 or pairs of
    them, 8, whichever says more, less half a standard error √(2 / (blocks − 1)) · V_cell, which chance alone adds.
    V_cell has a prompt's or group's requests in one block as a cluster.

    `together`: both arms ran at the same time, so their blocks are the same, and what both suffered in one cancels.
    Otherwise each arm has blocks of its own time.

    Degrees of freedom: 7, of 8 blocks, or the effective number of the 16 that make the variance, (Σ e²)² / Σ e⁴ of
    their residuals e, where that is less: three bursts in one arm and none in the other are three events, however many
    blocks are quiet.

    Source: Cameron, Gelbach & Miller 2011, JBES 29:238–249. docs/calibration.md has how it was measured.
    """
    arms = candidate, baseline
    blocks = _blocks([arm.due_s for arm in arms], together=together)
    parts = np.concatenate([candidate.parts, -baseline.parts])
    apart = 0 if together else 1 + max(int(arm.clusters.max(initial=0)) for arm in arms)
    clusters = np.concatenate([candidate.clusters, baseline.clusters + apart])
    cells = np.unique(clusters * (4 * BLOCKS) + blocks, return_inverse=True)[1]
    cell = _clustered(parts, cells)
    ways = (_clustered(parts, codes) - cell * (1 + _chance(codes)) for codes in (blocks, blocks // 2))
    squares = np.bincount(blocks, weights=parts) ** 2
    active = float(squares.sum()) ** 2 / float(squares @ squares) if squares.any() else DEGREES
    return TimeError(variance=max(0.0, *ways), degrees=min(DEGREES, active))


def _blocks(due_s: list[Floats], *, together: bool) -> Codes:
    """The block of each request, the candidate's before the baseline's."""
    if together:
        return blocks_of(np.concatenate(due_s))
    return np.concatenate([blocks_of(due_s[0]), 2 * BLOCKS + blocks_of(due_s[1])])


def _clustered(parts: Floats, codes: Codes) -> float:
    return clustered_variance(np.asarray(np.bincount(codes, weights=parts)), _count(codes))


def _chance(codes: Codes) -> float:
    return BY_CHANCE * math.sqrt(2 / max(1, _count(codes) - 1))


def _count(codes: Codes) -> int:
    return int(np.count_nonzero(np.bincount(codes)))


def widen(effect: Effect, interval: Callable[[float], Bounds], extra: TimeError) -> Effect:
    """A difference of shares whose variance grows by that of `time_error`, `extra`.

    `interval`: level → the bounds without it. Each reach becomes √((reach · t/z)² + t²·extra), t with `extra`'s
    degrees of freedom times 1 + V/extra: only that part of the error rests on few blocks; V is the variance behind the
    interval. The p-value is the interval's own, inverted, or the effect's if that is larger. `time_limited` says that
    time makes more of the error than all else.

    Source: Newcombe 1998, Statistics in Medicine 17:2635–2650 (square-and-add).
    """
    low, high = interval(LEVEL)
    own = ((high - low) / 2 / float(ndtri((1 + LEVEL) / 2))) ** 2
    if extra.variance <= ROUNDING * own:
        return effect
    variance, estimate = extra.variance, effect.estimate
    degrees = extra.degrees * (1 + own / variance)

    def wider(level: float) -> Bounds:
        z, t = float(ndtri((1 + level) / 2)), float(stdtrit(degrees, (1 + level) / 2))
        down, up = (math.hypot(reach * t / z, t * math.sqrt(variance)) for reach in _reaches(interval(level), estimate))
        return max(-1.0, estimate - down), min(1.0, estimate + up)

    low, high = wider(LEVEL)
    p_value = max(invert(wider), effect.p_value or 0.0)
    method = f"{effect.method}+{METHOD}"
    return replace(effect, low=low, high=high, p_value=p_value, method=method, time_limited=variance > own)


def _reaches(bounds: Bounds, estimate: float) -> Bounds:
    return max(0.0, estimate - bounds[0]), max(0.0, bounds[1] - estimate)
