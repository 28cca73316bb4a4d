"""The sections on grading: shown only with content, and safe against hostile names."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pytest
from rich.console import Console

from harness.analysis.stats.interval import Interval
from harness.analysis.summary.summary import JudgedRate, JudgeSummary, Preference, RepeatedAnswers, RunSummary
from harness.report.markdown import render_markdown
from harness.report.page import render_page
from harness.report.run.graded import judging_sentence
from harness.report.run.sections import run_brief, run_report
from harness.report.terminal import print_report
from harness.report.wording import write_cell

HALF = Interval(value=0.5, low=0.25, high=0.75)
SEVERAL = RepeatedAnswers(
    answers=5, prompts=8, pass_at={1: HALF, 2: HALF, 4: HALF, 5: HALF}, pass_hat={1: HALF, 2: HALF, 4: HALF, 5: HALF}
)
PREFERENCE = Preference(pairs=9, wins=4, ties=2, losses=2, unjudged=1, win_rate=HALF, flip_rate=HALF, longer_wins=None)
JUDGE = JudgeSummary(
    judge="<b>strict</b>|",
    model_id="m<script>",
    asked=1234,
    failed=2,
    cost_usd=1.5,
    labels=50,
    agreement=HALF,
    kappa=Interval(value=0.4, low=0.15, high=0.6),
    sensitivity=HALF,
)
JUDGED = JudgedRate(judge="<b>strict</b>|", answers=40, prompts=8, rate=HALF)
TITLES = ("Several answers to a prompt", "Preferred to the baseline", "Judges", "What people would have passed")


@pytest.fixture
def judged(make_run: Any) -> RunSummary:
    summary: RunSummary = make_run(requests=5).summary
    first, second, *others = summary.targets
    targets = [
        msgspec.structs.replace(first, several=SEVERAL),
        msgspec.structs.replace(second, several=SEVERAL, preference=PREFERENCE, judged=[JUDGED]),
        *others,
    ]
    return msgspec.structs.replace(summary, targets=targets, judges=[JUDGE], judging_cost_usd=1.5)


def test_a_run_without_graders_has_none_of_these_sections(make_run: Any) -> None:
    summary = make_run(requests=5).summary
    assert not {*TITLES} & {each.title for each in (*run_report(summary).sections, *run_brief(summary).sections)}
    assert judging_sentence(summary) == ""


def test_each_section_has_a_row_for_each_target_or_judge_and_a_cell_for_each_heading(judged: RunSummary) -> None:
    several, preference, judges, rates = tables = [
        each.table for each in run_report(judged).sections if each.table is not None and each.title in TITLES
    ]
    assert [2, 1, 1, 1] == [len(each.rows) for each in tables]
    assert all(len(row) == len(each.columns) for each in tables for row in each.rows)
    headings = [column.heading for column in several.columns]
    assert headings == ["target", "prompts", "mean", "pass@2", "pass@5", "pass^2", "pass^5"]
    half = "50.0% [25.0, 75.0]"
    assert [half, "4", "2", "2", "1", half, "–"] == [write_cell(cell) for cell in preference.rows[0][1:]]
    written = [write_cell(cell) for cell in judges.rows[0][2:]]
    assert written == ["1,234", "2", "$1.50", "50", half, "0.40 [0.15, 0.60]", half, "–"]
    assert ["40", half, "–"] == [write_cell(cell) for cell in rates.rows[0][2:]]


def test_markdown_and_html_show_them_with_hostile_names_escaped(judged: RunSummary) -> None:
    markdown, page = render_markdown(run_report(judged, [])), render_page(run_report(judged, []))
    for title in TITLES:
        assert f"## {title}" in markdown
        assert f"<h2>{title}<a" in page
    for text in (markdown, page):
        assert "<b>strict" not in text
        assert "m<script>" not in text
    row = next(line for line in markdown.splitlines() if "strict" in line)
    assert row.replace("\\|", "").count("|") == 11


def test_the_terminal_shows_preferences_and_the_cost_of_judging(judged: RunSummary) -> None:
    out = io.StringIO()
    print_report(run_brief(judged), Console(file=out, width=100))
    assert "50.0% [25, 75]" in out.getvalue()
    assert "Judging cost another $1.50: 1,234 questions, 2 without a verdict" in out.getvalue()
