"""The short report of a notebook: every text of a report is escaped, and nothing else is in it but a few elements."""

from __future__ import annotations

import re

from harness.report.html.fragment import render_fragment
from harness.report.section import Column, Link, Mark, Name, Note, Number, Report, Section, Table

EVIL = '<img src=x onerror="alert(1)">\u202e'
SHOWN = "&lt;img src=x onerror=&#34;alert(1)&#34;&gt;\ufffd"
ALLOWED = {"div", "h3", "h4", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "br"}


def test_every_text_is_escaped_wherever_it_stands() -> None:
    rows = [(EVIL,), (EVIL, Name(EVIL)), (Mark(EVIL), Link(EVIL, EVIL)), (Number(0.5, EVIL), None)]
    table = Table(columns=[Column(heading=EVIL), Column(heading=EVIL)], rows=rows)
    note = Note(label=EVIL, text=EVIL, details=[EVIL])
    section = Section(title=EVIL, text=EVIL, table=table, notes=[note])
    report = Report(title="", heading=EVIL, simulated=True, invalid=EVIL, facts=[EVIL], sections=[section])
    fragment = render_fragment(report)
    assert 16 == fragment.count(SHOWN)
    assert ALLOWED == set(re.findall(r"<(\w+)", fragment))
    assert {'style="text-align: left"', 'colspan="2"'} == set(re.findall(r'\w+="[^"]*"', fragment))


def test_a_row_of_one_cell_is_a_heading() -> None:
    table = Table(columns=[Column(heading="a"), Column(heading="b")], rows=[("group",), ("x", 1)])
    fragment = render_fragment(Report(title="t", simulated=False, sections=[Section(table=table)]))
    assert '<th colspan="2" style="text-align: left">group</th>' in fragment
    assert "SIMULATED" not in fragment
