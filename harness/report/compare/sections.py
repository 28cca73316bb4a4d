"""The columns of a comparison's table, the same on the terminal, in Markdown and on the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from harness.analysis.compare.comparison import Comparison, Difference
from harness.analysis.compare.verdict import reaches
from harness.analysis.stats.power import ALPHA
from harness.characters import printable
from harness.report.compare.verdicts import (
    change,
    change_alone,
    level_of,
    margin,
    mark,
    metric_name,
    samples,
    settled_by,
)


class DifferenceColumn(msgspec.Struct, frozen=True, kw_only=True):
    """One column. On a narrow terminal, those of least weight go first."""

    heading: str
    cell: Callable[[Difference], str]
    weight: int


DIFFERENCE = DifferenceColumn(heading="difference", cell=change, weight=5)
DIFFERENCE_ALONE = DifferenceColumn(heading="difference", cell=change_alone, weight=5)
"""Without the interval, where there is no room for it."""
COLUMNS = (
    DifferenceColumn(heading="baseline", cell=lambda d: level_of(d, d.baseline), weight=2),
    DifferenceColumn(heading="candidate", cell=lambda d: level_of(d, d.candidate), weight=3),
    DIFFERENCE,
    DifferenceColumn(heading="margin", cell=margin, weight=4),
    DifferenceColumn(heading="verdict", cell=lambda d: mark(d.verdict), weight=6),
    DifferenceColumn(heading="n", cell=samples, weight=1),
)


def remarks(c: Comparison, rows: Sequence[Difference]) -> list[str]:
    """What a reader must know of single rows: what would settle them, and their notes."""
    told = []
    for d in rows:
        settled = settled_by(d, c.prompts)
        parts = [not_significant] if (not_significant := _held_back(d)) else []
        parts += [f"would be settled by {settled}"] if settled else []
        parts += [printable(d.note)] if d.note else []
        if parts:
            told.append(f"{metric_name(d.metric)}: {'; '.join(parts)}")
    return told


def _held_back(d: Difference) -> str:
    """Why a difference whose interval leaves out zero is no verdict; empty where that is not so."""
    clear = (d.low is not None and d.low > 0) or (d.high is not None and d.high < 0)
    if d.verdict != "inconclusive" or not clear or d.p_value is None or d.p_adjusted is None or d.p_adjusted < ALPHA:
        return ""
    if d.margin is not None and d.estimate is not None and not reaches(abs(d.estimate), d.margin):
        return ""
    return f"clear on its own, but not among so many tests (p {d.p_value:.2g}, {d.p_adjusted:.2g} by Holm)"


def one_sided(c: Comparison, most: int) -> list[str]:
    """Prompts that only one side was asked, at most `most` of each by name."""
    sides = (("the baseline", c.only_baseline), ("the candidate", c.only_candidate))
    return [f"only {side} was asked: {listed(ids, most)}" for side, ids in sides if ids]


def listed(ids: Sequence[str], most: int) -> str:
    """`a, b and 3 more`; ids are the user's, so they are made printable."""
    shown = ", ".join(printable(each) for each in ids[:most])
    return shown if len(ids) <= most else f"{shown} and {len(ids) - most:,} more"
