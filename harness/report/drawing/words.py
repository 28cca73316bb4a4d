"""A figure's values in words and cells: what its table and its description share with those of other figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from harness.analysis.stats.interval import Interval
from harness.analysis.summary.summary import TargetSummary
from harness.characters import printable
from harness.report.section import Cell, Column, Name
from harness.report.wording import shorten

NAME_CHARACTERS = 60

TARGET: tuple[Column, Callable[[TargetSummary], Cell]] = (Column(heading="target"), lambda t: Name(t.target))
"""The first column of a table of targets."""


def is_bounded(interval: Interval | None) -> bool:
    """Whether the data bounds a percentile from above: with too few samples, or stalls, it does not."""
    return interval is not None and interval.high is not None


def span_of(what: str, values: Iterable[tuple[str, float | None]], write: Callable[[float], str]) -> str:
    """`TTFT p50: 0.612 s (a) to 1.30 s (b)`; with one value `TTFT p50: 0.612 s (a)`; empty without any."""
    known = [(value, name) for name, value in values if value is not None]
    if not known:
        return ""
    low, high = min(known, key=lambda each: each[0]), max(known, key=lambda each: each[0])
    if low[0] == high[0]:
        return f"{what}: {write(low[0])} ({'all' if len(known) > 1 else short_name(low[1])})"
    return f"{what}: " + " to ".join(f"{write(value)} ({short_name(name)})" for value, name in (low, high))


def say(*clauses: str) -> str:
    """A sentence of the clauses that say something; empty if none does."""
    said = "; ".join(clause for clause in clauses if clause)
    return f"{said[0].upper()}{said[1:]}." if said else ""


def list_few(names: Sequence[str], most: int = 3) -> str:
    """`a, b, c and 4 more`."""
    rest = len(names) - most
    return ", ".join(names) if rest <= 0 else f"{', '.join(names[:most])} and {rest} more"


def short_name(name: str) -> str:
    """A target's name for a sentence."""
    return shorten(printable(name), NAME_CHARACTERS)
