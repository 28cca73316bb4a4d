"""The verdict on top of a run's report: with one candidate, with many, and where there is none."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from rich.console import Console

from harness.analysis.compare.comparison import CompareReport, Flip, Outcomes, Verdict
from harness.analysis.summary.summary import RunSummary
from harness.report.markdown import render_markdown
from harness.report.page import render_page
from harness.report.run.sections import run_brief, run_report
from harness.report.run.verdict import MOST_CARDS, MOST_FLIPS, NOT_A_GATE, verdicts_of
from harness.report.section import Name, Section
from harness.report.terminal import print_report
from harness.store.finding import Finding

BASELINE, CANDIDATE = "claude-sonnet-4-5/global/converse", "claude-haiku-4-5/global/converse"


@pytest.fixture
def many(make_report: Any, make_comparison: Any) -> Callable[..., CompareReport]:
    """A report with a candidate of each of these verdicts, named a, b, c, …"""

    def build(*verdicts: Verdict, **facts: Any) -> CompareReport:
        one = make_comparison(**facts)
        comparisons = tuple(
            msgspec.structs.replace(one, verdict=verdict, candidate=msgspec.structs.replace(one.candidate, target=name))
            for name, verdict in zip("abcdefgh", verdicts, strict=False)
        )
        report: CompareReport = make_report(comparisons=comparisons)
        return report

    return build


def judged(make_run: Any, report: CompareReport) -> RunSummary:
    summary: RunSummary = make_run(requests=5).summary
    return msgspec.structs.replace(summary, verdicts=verdicts_of(report))


def titled(summary: RunSummary, report: CompareReport | None, title: str) -> Section:
    return next(each for each in run_report(summary, comparison=report).sections if each.title == title)


def test_the_verdict_is_the_first_thing_on_the_page_and_says_that_it_is_not_a_gate(
    make_run: Any, make_report: Any
) -> None:
    report = make_report()
    first = run_report(judged(make_run, report), comparison=report).sections[0]
    (note,) = first.notes
    assert ("Verdict", "", "✗ worse", "bad") == (first.title, first.text, note.label, note.tone)
    assert note.text.startswith(f"{CANDIDATE} is worse than {BASELINE} on TTFT p95: ")
    assert [NOT_A_GATE] == note.details


def test_a_terminal_shows_the_verdict_before_the_table(make_run: Any, make_report: Any) -> None:
    out = io.StringIO()
    print_report(run_brief(judged(make_run, make_report())), Console(file=out, width=100))
    text = out.getvalue()
    assert text.index("✗ worse: claude-haiku") < text.index(NOT_A_GATE) < text.index("Who leads")


def test_many_verdicts_are_counted_and_the_worst_have_a_sentence(
    make_run: Any, many: Callable[..., CompareReport]
) -> None:
    report = many("no_worse", "worse", "no_worse", "inconclusive", "better", "no_worse", "worse")
    section = titled(judged(make_run, report), report, "Verdict")
    counts = "2 worse, 1 inconclusive, 3 no worse, 1 better"
    assert f"7 targets against {BASELINE}: {counts}. {NOT_A_GATE} The worst {MOST_CARDS}:" == section.text
    assert ["b", "g", "d", "a", "c"] == [note.text.split()[0] for note in section.notes]


def test_the_rows_of_the_gate_follow_for_each_candidate_and_those_of_the_sixth_are_folded(
    make_run: Any, many: Callable[..., CompareReport]
) -> None:
    report = many(*["worse"] * 6)
    sections = [each for each in run_report(judged(make_run, report), comparison=report).sections if each.level == 3]
    assert ["a", "b", "c", "d", "e", "f"] == [each.title for each in sections]
    assert ["plain"] * MOST_CARDS + ["folded"] == [each.layout for each in sections]
    table = sections[0].table
    assert table is not None
    assert "TTFT p95" in [row[0] for row in table.rows]
    assert not [row for row in table.rows if "[" in str(row[0])], "rows by tag decide nothing and belong elsewhere"


def test_changed_prompts_are_listed_for_readers_without_scripts(make_run: Any, make_report: Any) -> None:
    report = make_report()
    section = titled(judged(make_run, report), report, "Prompts that changed")
    assert section.text.startswith("2 of 40 prompts changed: 1 worse, 1 better")
    assert section.table is not None
    assert ["capital-fr", "sum"] == [row[0] for row in section.table.rows]
    whole = run_report(judged(make_run, report), comparison=report)
    assert "| capital-fr | worse | 3/3 → 1/3 | facts |" in render_markdown(whole)
    assert "<summary>Prompts that changed: 2 rows</summary>" in render_page(whole)


def test_of_many_changed_prompts_the_first_are_listed_for_each_candidate(
    make_run: Any, many: Callable[..., CompareReport]
) -> None:
    lost = Outcomes(passed=1, scored=1), Outcomes(passed=0, scored=1)
    flips = tuple(
        Flip(prompt_id=f"p{i:03d}", direction="worse", baseline=lost[0], candidate=lost[1]) for i in range(200)
    )
    one, two = many("worse", flips=flips, prompts=300), many("worse", "worse", flips=flips, prompts=300)
    alone = titled(judged(make_run, one), one, "Prompts that changed")
    assert alone.text.endswith(f". The first {MOST_FLIPS}:")
    assert alone.table is not None
    assert MOST_FLIPS == len(alone.table.rows)
    both = titled(judged(make_run, two), two, "Prompts that changed")
    assert both.table is not None
    assert [(Name("a"),), (Name("b"),)] == [row for row in both.table.rows if len(row) == 1]
    assert MOST_FLIPS + 2 == len(both.table.rows)
    assert ["a", "b"] == [note.label for note in both.notes]


def test_a_load_test_lists_no_changed_prompts(make_run: Any, many: Callable[..., CompareReport]) -> None:
    report = many("worse", flips=(), lost=0, gained=0, unscored=40)
    titles = [each.title for each in run_report(judged(make_run, report), comparison=report).sections]
    assert "Against the baseline" in titles
    assert "Prompts that changed" not in titles


def test_findings_of_the_comparison_join_those_of_the_run_once(make_run: Any, make_report: Any) -> None:
    own, shared = (Finding(what=what, remedy="mend it") for what in ("own", "shared"))
    report = make_report(findings=(shared, own))
    summary = msgspec.structs.replace(judged(make_run, report), findings=[shared])
    assert ["shared; mend it", "own; mend it"] == [note.text for note in titled(summary, report, "Findings").notes]


def test_without_a_verdict_the_report_says_why_or_nothing(make_run: Any) -> None:
    summary: RunSummary = make_run(requests=5).summary
    assert "Who leads" == run_report(summary).sections[0].title
    invalid = msgspec.structs.replace(summary, no_verdict="an invalid run decides nothing")
    (note,) = run_report(invalid).sections[0].notes
    assert ("no verdict", "an invalid run decides nothing", "warn") == (note.label, note.text, note.tone)
