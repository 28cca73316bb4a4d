"""A report through its three renderers: hostile text in any of its fields stays text, and tables fit the terminal."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from harness.report.markdown import render_markdown
from harness.report.page import render_page
from harness.report.section import Column, Mark, Name, Note, Number, Picture, Report, Sample, Section, Table
from harness.report.terminal import report_lines, table_lines

HOSTILE = "</pre></td><script>alert(1)</script><img src=x onerror=alert(2)>|`[x](javascript:y)\x1b[2J\u202e/@all"
CELLS = (HOSTILE, Name(HOSTILE), Mark(HOSTILE, "bad"), Number(1.0, HOSTILE, low=0.5, bounded=True), None, 1_024)
TABLE = Table(columns=[Column(heading=HOSTILE, is_text=True) for _ in CELLS], rows=[[Name(HOSTILE)], CELLS])


def hostile_report(layout: str = "plain") -> Report:
    note = Note(label=HOSTILE, text=HOSTILE, tone="warn", details=[HOSTILE])
    sample = Sample(
        mark=Mark(HOSTILE, "bad"), prompt_id=HOSTILE, about=HOSTILE, reason=HOSTILE, answers=[(HOSTILE, HOSTILE)]
    )
    section = Section(
        title=HOSTILE,
        text=HOSTILE,
        pictures=[Picture(name="forest", title=HOSTILE, png=b"", svg=b"<svg/>")],
        table=TABLE,
        notes=[note],
        samples=[sample],
        layout=layout,  # type: ignore[arg-type]
    )
    return Report(title=HOSTILE, simulated=True, invalid=HOSTILE, facts=[HOSTILE], sections=[section])


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not [name for name, _ in attrs if name.startswith("on")]
        self.seen.append(tag)
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("layout", ["plain", "cards", "terms", "folded"])
def test_hostile_text_is_only_text_in_every_renderer(layout: str) -> None:
    report = hostile_report(layout)
    page, markdown = render_page(report), render_markdown(report)
    terminal = "\n".join(line.plain for line in report_lines(report, 80))
    parsed = Page(page)
    assert [] == parsed.open
    assert 1 == parsed.seen.count("script")
    assert "<script" not in markdown
    assert "](javascript" not in markdown.replace("\\](", "")
    for text in (page, markdown, terminal):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "SIMULATED" in text
    rows = [line.replace("\\|", "") for line in markdown.splitlines() if line.startswith("|")]
    assert {len(CELLS) + 1} == {row.count("|") for row in rows}


def shown(width: int) -> list[str]:
    """A table whose columns are left out in the order d, the intervals of b, c."""
    columns = [
        Column(heading="target"),
        Column(heading="b", weight=9, interval_weight=2),
        Column(heading="c", weight=3),
        Column(heading="d", weight=1),
        Column(heading="e", weight=0),
    ]
    row = (Name("model/routing"), Number(0.5, "s", low=0.4, high=0.6, bounded=True), 1_000, "text", "never")
    return [line.plain for line in table_lines(Table(columns=columns, rows=[row]), width)]


def test_cards_fit_the_terminal_and_a_long_verdict_starts_a_new_line() -> None:
    columns = [Column(heading=heading, is_text=True) for heading in ("metric", "target", "value", "verdict")]
    rows = [("TTFT p50", Name("haiku/global"), "0.6 s", "too close to call with haiku/us; clear of the others")]
    sections = [Section(table=Table(columns=columns, rows=rows), layout="cards")]
    report = Report(title="t", simulated=False, sections=sections)
    assert [
        "  TTFT p50  haiku/global  0.6 s",
        "            too close to call with",
        "            haiku/us; clear of the",
        "            others",
    ] == [line.plain for line in report_lines(report, 36)]
    assert 1 == len(list(report_lines(report, 100)))


def test_the_lightest_columns_and_intervals_go_first() -> None:
    assert "model/routing  0.500 s [0.400, 0.600]  1,000  text" == shown(80)[1]
    assert "model/routing  0.500 s [0.400, 0.600]  1,000" == shown(45)[1]
    assert "model/routing  0.500 s  1,000" == shown(36)[1]
    assert "model/routing  0.500 s" == shown(28)[1]
    assert ["model/     0.500 s", "  routing"] == shown(18)[1:]
    assert all(len(line) <= width for width in range(18, 81) for line in shown(width))


def test_a_row_with_a_single_value_is_a_heading_for_the_rows_below() -> None:
    columns = [Column(heading="metric"), Column(heading="n")]
    table = Table(columns=columns, rows=[[Name("a/b")], ("TTFT", 1), ("E2E", 20)])
    assert ["metric   n", "a/b", "  TTFT   1", "  E2E   20"] == [line.plain for line in table_lines(table, 80)]
    section = Section(table=table)
    assert "| a/b |  |\n| TTFT | 1 |" in render_markdown(Report(title="t", simulated=False, sections=[section]))
