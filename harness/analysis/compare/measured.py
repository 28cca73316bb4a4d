"""What is measured of a metric in both arms, before there is a verdict: values, effect, and what to know of them."""

from __future__ import annotations

from typing import Literal

import msgspec

from harness.analysis.compare.comparison import Scale
from harness.analysis.stats.effect import Effect


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One metric over the pairs. `effect` is signed so that + is worse; None: it cannot be said, `notes` say why."""

    metric: str
    scale: Scale
    unit: Literal["share", "s", "usd"]
    baseline: float | None = None
    candidate: float | None = None
    effect: Effect | None = None
    n: int = 0
    clusters: int = 0
    none_at_all: bool = False
    """Of a rate: it is 0 or 1 in both arms, the same."""
    n_at_least: int | None = None
    """Samples below which there are no bounds; None: there are."""
    clusters_at_least: int | None = None
    """Prompts or groups below which there are no bounds however many samples they give; None: they are enough."""
    baseline_inflated: float | None = None
    candidate_inflated: float | None = None
    """Of a latency, where requests failed: the quantile with failures as ∞. None: ∞, or nothing failed."""
    inflated_estimate: float | None = None
    """Of a latency, where requests failed: the difference with failures as ∞, which may be ±∞ itself."""
    notes: tuple[str, ...] = ()
