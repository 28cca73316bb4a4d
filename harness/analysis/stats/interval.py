"""An estimate with its interval: what every figure of a report is."""

from __future__ import annotations

import msgspec

LEVEL = 0.95
"""Confidence level of every interval in a summary."""


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """An estimate with its interval. `low`/`high` None: the data cannot give that bound (too few samples)."""

    value: float
    low: float | None = None
    high: float | None = None
