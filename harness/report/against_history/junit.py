"""junit.xml of a run against its history: a suite for each target, a case for each metric of the gate."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from harness.analysis.against_history.rows import HistoryReport, HistoryRow
from harness.analysis.compare.comparison import word
from harness.characters import counted, printable
from harness.report.against_history.sections import describe_left_out, describe_row, headline, settled_by_runs
from harness.report.compare.junit import class_name, clean, count_cases, count_suites, validity_case
from harness.report.compare.verdicts import metric_name
from harness.report.wording import SIMULATED, STAND_IN, sentence


def render_history_junit(report: HistoryReport) -> bytes:
    """The file, UTF-8. `worse` is a failure, `inconclusive` an error, as in `compare.junit`."""
    root = Element("testsuites", name=clean(f"harness gate: {report.suite}"))
    for target in report.targets:
        root.append(_suite(report, target))
    count_suites(root)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _suite(report: HistoryReport, target: str) -> Element:
    suite = Element("testsuite", name=clean(target))
    facts = {
        "suite": report.suite,
        "digest": report.suite_digest,
        "run": report.run_id,
        "against": f"history: {', '.join(report.past_runs) or 'no runs'}",
        **({SIMULATED: STAND_IN} if report.simulated else {}),
    }
    properties = SubElement(suite, "properties")
    for name, value in facts.items():
        SubElement(properties, "property", name=name, value=clean(value))
    if not report.valid:
        reasons = [sentence(f) for f in report.findings if f.invalidates]
        validity_case(suite, report.suite, "today's run is invalid, so it gets no verdict", reasons)
    for row in report.of(target):
        _case(suite, report, row)
    lines = [headline(report, target), *(f"left out: {describe_left_out(each)}" for each in report.left_out)]
    SubElement(suite, "system-out").text = clean("\n".join(lines))
    return count_cases(suite)


def _case(suite: Element, report: HistoryReport, row: HistoryRow) -> None:
    name = clean(metric_name(row.metric))
    case = SubElement(suite, "testcase", classname=class_name(report.suite), name=name, time="0")
    change, details = describe_row(row), _details(row)
    if row.verdict == "worse":
        SubElement(case, "failure", type="worse", message=clean(change)).text = clean(details)
    elif row.verdict == "inconclusive":
        parts = [f"inconclusive: {change}", row.note, settled_by_runs(row)]
        message = "; ".join(part for part in parts if part)
        SubElement(case, "error", type="inconclusive", message=clean(message)).text = clean(details)
    SubElement(case, "system-out").text = clean(f"{word(row.verdict)}: {change}\n{details}")


def _details(row: HistoryRow) -> str:
    lines = [
        f"{counted(len(row.past), 'past run')}, {row.method or 'no prediction'}",
        *([] if row.p_value is None else [f"p {row.p_value:.4g}, with Holm's correction {row.p_adjusted:.4g}"]),
        *(f"what differed: {line}" for line in row.differed),
    ]
    return "\n".join(map(printable, lines))
