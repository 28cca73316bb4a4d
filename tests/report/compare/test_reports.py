"""A comparison on the terminal, in Markdown, on the page and for a CI system: complete, and closed to hostile text."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from rich.console import Console

from harness.analysis.compare.comparison import CompareReport, Flip, Outcomes
from harness.errors import StoreError
from harness.report.compare.junit import render_junit
from harness.report.compare.sections import compare_brief, compare_report, gate_comment
from harness.report.compare.verdicts import describe_flips
from harness.report.markdown import render_markdown
from harness.report.page import render_page
from harness.report.terminal import print_report
from harness.report.write import write_comparison
from harness.store.finding import Finding

HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(2)>|`[x](javascript:y)\x1b[2J\x00\u202e]]>"
INVALID = Finding(what="the client was the bottleneck", remedy="lower the rate", invalidates=True)


def printed(report: CompareReport, width: int = 120, **console: object) -> str:
    out = io.StringIO()
    print_report(compare_brief(report), Console(file=out, width=width, **console), written=Path("r/compare.html"))  # type: ignore[arg-type]
    return out.getvalue()


def page_of(report: CompareReport) -> str:
    return render_page(compare_report(report))


def markdown_of(report: CompareReport) -> str:
    return render_markdown(compare_report(report))


def comment_of(report: CompareReport, against: str = "x") -> str:
    return render_markdown(gate_comment(report, against), top=3)


def hostile(report: CompareReport) -> CompareReport:
    """The same with hostile text wherever a run may have some."""
    (c,) = report.comparisons
    arm = msgspec.structs.replace(c.candidate, target=HOSTILE, model_id=HOSTILE, region=HOSTILE, client=HOSTILE)
    flip = Flip(prompt_id=HOSTILE, tags=(HOSTILE,), direction="worse", baseline=Outcomes(passed=1, scored=1),
                candidate=Outcomes(passed=0, scored=1),
                baseline_answer=HOSTILE, candidate_answer=HOSTILE, reason=HOSTILE)  # fmt: skip
    rows = tuple(msgspec.structs.replace(d, metric=f"pass_rate[{HOSTILE}]", note=HOSTILE) for d in c.differences)
    bad = msgspec.structs.replace(
        c, candidate=arm, flips=(flip,), only_baseline=(HOSTILE,), differences=rows,
        drift=msgspec.structs.replace(c.drift, summary=HOSTILE),
    )  # fmt: skip
    findings = (Finding(what=HOSTILE, remedy=HOSTILE, invalidates=True),)
    return msgspec.structs.replace(report, suite=HOSTILE, comparisons=(bad,), findings=findings, valid=False)


def test_the_verdict_is_the_first_line_in_words(make_report) -> None:
    simulated, verdict, *_ = printed(make_report()).splitlines()
    assert "SIMULATED: answered by a stand-in on this machine, not by Amazon Bedrock" == simulated
    assert verdict.startswith("✗ worse: claude-haiku-4-5/global/converse is worse than claude-sonnet-4-5/global/conv")
    assert printed(make_report(simulated=False)).startswith("✗ worse: ")


def test_the_terminal_tells_rows_flips_drift_and_what_only_one_side_was_asked(make_report) -> None:
    text = printed(make_report())
    for told in (
        "TTFT p95            1.30 s     1.61 s  +24.0% [+18.0, +31.0]     15%  ✗ worse         118 in 40",
        "pass rate: needs 248 prompts (now 40) to settle",
        "Answers: 2 of 40 prompts changed: 1 worse, 1 better; how many an unchanged model would change is unknown: "
        "--repeats 2 shows it; capital-fr 3/3 → 1/3, sum 1/2 → 2/2 (1 unscored)",
        "2.6 × the output tokens (token drift)",
        "only the candidate has prompts new-prompt",
        "Exploratory, decides nothing:",
        "Report: r/compare.html",
    ):
        assert told in text


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_narrow_terminal_keeps_metric_and_verdict_and_cuts_no_number(make_report, width: int) -> None:
    lines = printed(make_report(), width).splitlines()
    rows = [line for line in lines if line.startswith(("TTFT p95 ", "pass rate "))]
    assert all(len(line.rstrip()) <= width for line in rows)
    assert any("✗ worse" in line for line in rows)
    assert "…" not in "".join(rows)


def test_colour_is_never_alone_and_no_color_is_respected(make_report, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" not in printed(make_report())
    monkeypatch.setenv("TERM", "xterm-256color")
    for value in ("", "1"):  # where it is empty, it is not set
        monkeypatch.setenv("NO_COLOR", value)
        text = printed(make_report(), force_terminal=True)
        assert bool(value) == (re.search(r"\x1b\[[0-9;]*3[0-7]", text) is None)


def test_an_invalid_comparison_says_so_everywhere(make_report) -> None:
    report = make_report(findings=(INVALID,), valid=False)
    assert "INVALID" in printed(report)
    for text in (printed(report), markdown_of(report), comment_of(report), page_of(report)):
        assert "the client was the bottleneck; lower the rate" in text
    assert '<error type="invalid"' in render_junit(report, "x").decode()


def test_the_comment_begins_with_the_verdict_and_ends_with_the_baseline(make_report) -> None:
    text = comment_of(make_report(), "the kept baseline run r1")
    assert text.startswith("### ✗ worse: quickstart\n")
    assert text.rstrip().endswith("Holm over 5.")
    assert "| TTFT p95 | +24.0% \\[+18.0, +31.0\\] | 15% | ✗ worse |" in text
    assert "the kept baseline run r1" in text
    assert "248 prompts" in text


def test_markdown_is_whole_and_hostile_text_is_only_text(make_report) -> None:
    text = markdown_of(hostile(make_report())) + comment_of(hostile(make_report()), HOSTILE)
    assert "<script" not in text
    assert "<img" not in text
    assert re.search(r"(?<!\\)\]\(javascript", text) is None
    assert "\x1b" not in text
    assert "> **SIMULATED: answered by" in text


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_closed_to_what_a_model_wrote(make_report) -> None:
    text = page_of(hostile(make_report()))
    page = Page(text)
    assert [] == page.open
    assert 1 == page.tags.count("script")
    assert "img" not in page.tags
    assert "&lt;script&gt;alert(1)" in text
    assert "\x1b" not in text
    assert "default-src &#39;none&#39;" in text


def test_both_answers_of_a_flip_stand_side_by_side_and_folded(make_report) -> None:
    text = page_of(make_report())
    assert '<details class="sample">\n<summary>' in text
    for side, answer in (("baseline", "Paris"), ("candidate", "Lyon")):
        assert re.search(f"<h4>{side}</h4><pre [^>]*>{answer}</pre>", text)


def test_every_prompt_that_changed_is_listed_in_every_report(make_report, make_comparison) -> None:
    flips = tuple(
        Flip(prompt_id=f"p{i:04}", direction="worse", baseline=Outcomes(passed=2, scored=2),
             candidate=Outcomes(passed=1, scored=2))
        for i in range(60)
    )  # fmt: skip
    report = make_report(comparisons=(make_comparison(flips=flips, lost=60, gained=0, prompts=80, unscored=5),))
    told = "60 of 75 prompts changed: 60 worse, 0 better (5 more are not scored on both sides)"
    page, whole, comment = page_of(report), markdown_of(report), comment_of(report)
    for text in (printed(report), page, whole, comment):
        assert told in text
    for text, shares in ((page, "2/2 → 1/2 passed"), (whole, "2/2 → 1/2 passed")):
        assert 60 == text.count(shares)
    for text in (printed(report), comment):
        assert 50 == text.count("2/2 → 1/2")
        assert "p0049 2/2 → 1/2 and 10 more (see compare.json)" in text


def test_beside_what_changed_stands_what_an_unchanged_model_would_change(make_report, make_comparison) -> None:
    expected = {"expected_changes": 16.3, "expected_from": "3 repeats"}
    report = make_report(comparisons=(make_comparison(lost=10, gained=9, prompts=35, **expected),))
    told = "19 of 35 prompts changed: 10 worse, 9 better; an unchanged model would change about 16 (from 3 repeats)"
    for text in (printed(report), page_of(report), markdown_of(report), comment_of(report)):
        assert told in text.replace("\\", "")
    quiet = make_comparison(lost=2, gained=0, expected_changes=0.2, expected_from="2 pairs of earlier runs")
    assert describe_flips(quiet).endswith("an unchanged model would change hardly any (from 2 pairs of earlier runs)")


@pytest.mark.parametrize(
    ("unscored", "told"),
    [(0, "none of 40 prompts changed"), (40, "no prompt has a scored answer on both sides")],
)
def test_where_nothing_changed_that_is_said_of_what_was_scored(make_comparison, unscored: int, told: str) -> None:
    assert told == describe_flips(make_comparison(flips=(), lost=0, gained=0, unscored=unscored))


def test_junit_has_a_suite_a_candidate_and_a_case_a_metric_that_decides(make_report) -> None:
    root = ElementTree.fromstring(render_junit(make_report(), "x"))
    (suite,) = root
    assert ("testsuites", "testsuite") == (root.tag, suite.tag)
    assert ("5", "1", "2", "0") == tuple(suite.get(name) for name in ("tests", "failures", "errors", "skipped"))
    assert ("5", "1", "2") == tuple(root.get(name) for name in ("tests", "failures", "errors"))
    cases = {case.get("name"): [each.tag for each in case] for case in suite.findall("testcase")}
    assert {
        "pass rate": ["error", "system-out"],
        "error rate": ["system-out"],
        "TTFT p95": ["failure", "system-out"],
        "E2E p99": ["error", "system-out"],
        "cost per request": ["system-out"],
    } == cases
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "TTFT p95: +24.0% (95% interval +18.0 to +31.0%, margin 15%)" == failure.get("message")


def test_junit_keeps_to_the_elements_and_attributes_that_readers_know(make_report) -> None:
    """Those of Jenkins' junit-10.xsd: tag → attributes that must be there, that may be there, and children."""
    known = {
        "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
        "testsuite": (
            {"name", "tests", "failures", "errors"},
            {"time", "skipped", "timestamp", "hostname", "id", "package", "file"},
            {"properties", "testcase", "system-out", "system-err"},
        ),
        "properties": (set(), set(), {"property"}),
        "property": ({"name", "value"}, set(), set()),
        "testcase": ({"name"}, {"time", "classname", "group"}, {"skipped", "error", "failure", "system-out"}),
        "failure": (set(), {"type", "message"}, set()),
        "error": (set(), {"type", "message"}, set()),
        "system-out": (set(), set(), set()),
    }
    for report in (make_report(findings=(INVALID,), valid=False), make_report(comparisons=(), valid=False)):
        for element in ElementTree.fromstring(render_junit(report, "x")).iter():
            needed, allowed, children = known[element.tag]
            assert needed <= set(element.attrib) <= needed | allowed
            assert {child.tag for child in element} <= children


def test_junit_holds_nothing_that_xml_cannot(make_report) -> None:
    text = render_junit(hostile(make_report()), HOSTILE)
    root = ElementTree.fromstring(text)
    assert b"\x1b" not in text
    assert b"\x00" not in text
    assert [] == list(root.iter("script"))


def test_every_file_of_a_comparison_is_written_and_its_json_is_the_report(make_report, tmp_path: Path) -> None:
    report = make_report()
    names = [str(path.relative_to(tmp_path)) for path in write_comparison(tmp_path, report)]
    assert ["compare.html", "compare.md", "compare.json", "plots/forest.png", "plots/forest.svg"] == names
    assert report == msgspec.json.decode((tmp_path / "compare.json").read_bytes(), type=CompareReport)
    assert "data:image/svg+xml;base64," in (tmp_path / "compare.html").read_text()


def test_a_folder_that_cannot_be_made_is_a_mistake_of_the_user(make_report, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file: cannot be created: File exists; choose another folder with --out"):
        write_comparison(tmp_path / "file", make_report())
