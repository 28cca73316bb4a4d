"""False alarms of whole comparisons: every candidate is the baseline again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from worlds.draws import reports
from worlds.tables import Row, Table


def false_alarm_rows(scale: float) -> Iterator[Row]:
    """A/A: the same target thrice, 2 candidates × 5 metrics in a family."""
    for prompts, repeats, rounds in ((20, 1, 400), (100, 1, 400), (100, 3, 100)):
        found = reports(max(1, round(scale * rounds)), prompts, repeats, candidates=2)
        rows = [[row for c in report.comparisons for row in c.differences if not row.exploratory] for report in found]
        share = {
            "worse": [report.verdict == "worse" for report in found],
            "significant": [any(_significant(row.p_adjusted, row.low) for row in family) for family in rows],
            "uncorrected": [any(_significant(row.p_value, row.low) for row in family) for family in rows],
            "better": [any(row.verdict == "better" for row in family) for family in rows],
        }
        asked = f"{repeats} repeats" if repeats > 1 else "asked once"
        cells = (f"{len(found)}", *(f"{100 * np.mean(each):.1f}" for each in share.values()))
        yield Row(f"{prompts} prompts, {asked}", cells)


def _significant(p_value: float | None, low: float | None) -> bool:
    return p_value is not None and p_value < 0.05 and low is not None and low > 0


TABLES = (
    Table(
        "families",
        "A/A: % of families (2 candidates × 5 metrics)",
        (
            "data",
            "families",
            "`worse`",
            "significantly worse, whatever the margin",
            "the same without Holm",
            "`better`",
        ),
        false_alarm_rows,
    ),
)
