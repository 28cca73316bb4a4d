"""junit.xml: a gate as a test report, a suite for each candidate, a case for each metric that decides.

`worse` is a failure. `inconclusive` is an error, since `skipped` would be green: both are red in a CI system, like the
exit codes 1 and 3. Elements and attributes follow Jenkins' junit-10.xsd, which GitHub and GitLab read as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

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
    root = Element("testsuites", name=clean(f"harness gate: {report.suite}"))
    for c in report.comparisons:
        root.append(_suite(c, report, against))
    if not report.comparisons:
        root.append(_empty_suite(report))
    count_suites(root)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _suite(c: Comparison, report: CompareReport, against: str) -> Element:
    suite = Element("testsuite", name=clean(candidate_of(c)))
    _properties(suite, c, report, against)
    if not report.valid:
        _validity_case(suite, report)
    for d in gated(c):
        _case(suite, c, d, report)
    findings = [sentence(f) for f in report.findings if not f.invalidates]
    SubElement(suite, "system-out").text = clean("\n".join([headline(c, report.level), *findings]))
    return count_cases(suite)


def _empty_suite(report: CompareReport) -> Element:
    suite = Element("testsuite", name=clean(report.suite))
    _validity_case(suite, report)
    return count_cases(suite)


def count_suites(root: Element) -> None:
    """Set the totals of all test suites."""
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))


def count_cases(suite: Element) -> Element:
    """The test suite with the numbers of its cases."""
    suite.set("tests", str(len(suite.findall("testcase"))))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", str(len(suite.findall("testcase/error"))))
    suite.set("skipped", "0")
    suite.set("time", "0")
    return suite


def _properties(suite: Element, c: Comparison, report: CompareReport, against: str) -> None:
    facts = {
        "suite": report.suite,
        "digest": report.suite_digest,
        "baseline": _arm(c.baseline),
        "candidate": _arm(c.candidate),
        "against": against,
        **({SIMULATED: STAND_IN} if report.simulated else {}),
    }
    properties = SubElement(suite, "properties")
    for name, value in facts.items():
        SubElement(properties, "property", name=name, value=clean(value))


def _arm(arm: Arm) -> str:
    return f"{arm.target} (run {arm.run_id}, {arm.model_id}, {arm.region}, {arm.failed} of {arm.requests} failed)"


def _case(suite: Element, c: Comparison, d: Difference, report: CompareReport) -> None:
    case = SubElement(
        suite, "testcase", classname=class_name(report.suite), name=clean(metric_name(d.metric)), time="0"
    )
    change = f"{metric_name(d.metric)}: {change_in_words(d, report.level)}"
    if d.verdict == "worse":
        SubElement(case, "failure", type="worse", message=clean(change)).text = clean(_figures(c, d))
    elif d.verdict == "inconclusive":
        settled = settled_by(d, c.prompts)
        message = f"inconclusive: {change}" + (f"; needs {settled} to settle" if settled else "")
        SubElement(case, "error", type="inconclusive", message=clean(message)).text = clean(_figures(c, d))
    SubElement(case, "system-out").text = clean(f"{word(d.verdict)}: {change}\n{_figures(c, d)}")


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
