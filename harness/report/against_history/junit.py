"""junit.xml of a run against its history: a suite for each target, a case for each metric of the gate."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

from harness.analysis.against_history.rows import HistoryReport, HistoryRow
from harness.characters import counted, printable
from harness.report.against_history.sections import describe_left_out, describe_row, headline, settled_by_runs
from harness.report.compare.junit import add_case, clean, new_suite, render_suites, validity_case
from harness.report.wording import sentence


def render_history_junit(report: HistoryReport) -> bytes:
    """The file, UTF-8. `worse` is a failure, `inconclusive` an error, as in `compare.junit`."""
    return render_suites(report.suite, [_suite(report, target) for target in report.targets])


def _suite(report: HistoryReport, target: str) -> Element:
    facts = {"run": report.run_id, "against": f"history: {', '.join(report.past_runs) or 'no runs'}"}
    suite = new_suite(target, report, facts)
    if not report.valid:
        reasons = [sentence(f) for f in report.findings if f.invalidates]
        validity_case(suite, report.suite, "today's run is invalid, so it gets no verdict", reasons)
    for row in report.of(target):
        remarks = [part for part in (row.note, settled_by_runs(row)) if part]
        add_case(suite, report.suite, row, describe_row(row), remarks, _details(row))
    lines = [headline(report, target), *(f"left out: {describe_left_out(each)}" for each in report.left_out)]
    SubElement(suite, "system-out").text = clean("\n".join(lines))
    return suite


def _details(row: HistoryRow) -> str:
    lines = [
        f"{counted(len(row.past), 'past run')}, {row.method or 'no prediction'}",
        *([] if row.p_value is None else [f"p {row.p_value:.4g}, with Holm's correction {row.p_adjusted:.4g}"]),
        *(f"what differed: {line}" for line in row.differed),
    ]
    return "\n".join(map(printable, lines))
