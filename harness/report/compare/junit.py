"""junit.xml: a gate as a test report, a suite for each candidate, a case for each metric that decides.

`worse` is a failure. `inconclusive` is an error, since `skipped` would be green: both are red in a CI system, like the
exit codes 1 and 3. Elements and attributes follow Jenkins' junit-10.xsd, which GitHub and GitLab read as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from harness.analysis.against_history.rows import HistoryReport, HistoryRow
from harness.analysis.compare.comparison import Arm, CompareReport, Comparison, Difference, word
from harness.characters import printable
from harness.report.compare.verdicts import (
    candidate_of,
    change_in_words,
    gated,
    headline,
    metric_name,
    names,
    samples,
    settled_by,
)
from harness.report.wording import SIMULATED, STAND_IN, sentence, value_with_unit

NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, escaped or not."""
VALIDITY = "the runs are valid"


def render_junit(report: CompareReport, against: str) -> bytes:
    """The file, UTF-8. `against`: which baseline was used."""
    suites = [_suite(c, report, against) for c in report.comparisons] or [_empty_suite(report)]
    return render_suites(report.suite, suites)


def render_suites(name: str, suites: Sequence[Element]) -> bytes:
    """A gate's file, UTF-8, with the number of cases in each test suite and in all. `name`: the suite's."""
    root = Element("testsuites", name=clean(f"harness gate: {name}"))
    for suite in suites:
        suite.set("tests", str(len(suite.findall("testcase"))))
        suite.set("failures", str(len(suite.findall("testcase/failure"))))
        suite.set("errors", str(len(suite.findall("testcase/error"))))
        suite.set("skipped", "0")
        suite.set("time", "0")
    for kind in ("tests", "failures", "errors"):
        root.set(kind, str(sum(int(suite.get(kind, "0")) for suite in suites)))
    root.extend(suites)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _suite(c: Comparison, report: CompareReport, against: str) -> Element:
    facts = {"baseline": _arm(c.baseline), "candidate": _arm(c.candidate), "against": against}
    suite = new_suite(candidate_of(c), report, facts)
    if not report.valid:
        _validity_case(suite, report)
    for d in gated(c):
        _case(suite, c, d, report)
    findings = [sentence(f) for f in report.findings if not f.invalidates]
    SubElement(suite, "system-out").text = clean("\n".join([headline(c, report.level), *findings]))
    return suite


def _empty_suite(report: CompareReport) -> Element:
    suite = Element("testsuite", name=clean(report.suite))
    _validity_case(suite, report)
    return suite


def new_suite(name: str, report: CompareReport | HistoryReport, facts: Mapping[str, str]) -> Element:
    """A test suite with its properties: the report's suite and digest, these facts, and whether it is simulated."""
    suite = Element("testsuite", name=clean(name))
    properties = SubElement(suite, "properties")
    known = {"suite": report.suite, "digest": report.suite_digest, **facts}
    for fact, value in (known | ({SIMULATED: STAND_IN} if report.simulated else {})).items():
        SubElement(properties, "property", name=fact, value=clean(value))
    return suite


def _arm(arm: Arm) -> str:
    return f"{arm.target} (run {arm.run_id}, {arm.model_id}, {arm.region}, {arm.failed} of {arm.requests} failed)"


def _case(suite: Element, c: Comparison, d: Difference, report: CompareReport) -> None:
    settled = settled_by(d, c.prompts)
    change = f"{metric_name(d.metric)}: {change_in_words(d, report.level)}"
    remarks = [f"needs {settled} to settle"] if settled else []
    add_case(suite, report.suite, d, change, remarks, _figures(c, d))


def add_case(
    suite: Element, name: str, row: Difference | HistoryRow, change: str, remarks: Sequence[str], details: str
) -> None:
    """Add a metric's case. `name`: the suite's; `remarks`: behind the message of an inconclusive one."""
    case = SubElement(suite, "testcase", classname=class_name(name), name=clean(metric_name(row.metric)), time="0")
    if row.verdict == "worse":
        SubElement(case, "failure", type="worse", message=clean(change)).text = clean(details)
    elif row.verdict == "inconclusive":
        message = "; ".join([f"inconclusive: {change}", *remarks])
        SubElement(case, "error", type="inconclusive", message=clean(message)).text = clean(details)
    SubElement(case, "system-out").text = clean(f"{word(row.verdict)}: {change}\n{details}")


def validity_case(suite: Element, name: str, message: str, reasons: Sequence[str]) -> None:
    """Add a case that says why the data is invalid. `name`: the suite's."""
    case = SubElement(suite, "testcase", classname=class_name(name), name=VALIDITY, time="0")
    SubElement(case, "error", type="invalid", message=message).text = clean("\n".join(reasons))


def _validity_case(suite: Element, report: CompareReport) -> None:
    reasons = [sentence(f) for f in report.findings if f.invalidates] or ["no metric could be compared"]
    validity_case(suite, report.suite, "one of the runs is invalid, so this comparison is invalid too", reasons)


def _figures(c: Comparison, d: Difference) -> str:
    candidate, baseline = names(c)
    lines = [
        f"candidate {candidate}: {value_with_unit(d.candidate, d.unit)}",
        f"baseline {baseline}: {value_with_unit(d.baseline, d.unit)}",
        f"n {samples(d)}, {d.method or 'no interval'}",
        *([f"p {d.p_value:.4g}, with Holm's correction {d.p_adjusted:.4g}"] if _has_p(d) else []),
        *([d.note] if d.note else []),
    ]
    return "\n".join(printable(line) for line in lines)


def _has_p(d: Difference) -> bool:
    return d.p_value is not None and d.p_adjusted is not None


def class_name(suite: str) -> str:
    """Of a suite's test cases. Dots would be packages."""
    return clean(f"harness.gate.{printable(suite).replace('.', '_')}")


def clean(text: str) -> str:
    """The text without what XML 1.0 cannot hold."""
    return NOT_XML.sub("\ufffd", text)
