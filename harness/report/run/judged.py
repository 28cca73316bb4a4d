"""What people would have passed of the answers that a judge graded: the section beside the judges."""

from __future__ import annotations

from harness.analysis.summary.summary import RunSummary
from harness.report.section import Column, Name, Section, Table, number

HEADINGS = ("target", "judge", "answers", "judged pass rate", "corrected pass rate")


def judged_rates(summary: RunSummary) -> Section:
    """Each judge's own rate beside the corrected one, by target; empty without judged answers."""
    rows = [
        (Name(t.target), each.judge, each.answers, number(each.rate, "share"), number(each.corrected, "share"))
        for t in summary.targets
        for each in t.judged
    ]
    if not rows:
        return Section()
    return Section(
        title="What people would have passed",
        text="Judged pass rate: what a judge passed of the answers that it graded alone. Corrected: the same by how "
        "the judge errs on answers that people labelled, with the error of both; – where the labels do not show it.",
        table=Table(columns=[Column(heading=heading, interval_weight=1) for heading in HEADINGS], rows=rows),
    )
