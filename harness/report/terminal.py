"""A report as text; the console decides on colour and width (NO_COLOR, COLUMNS, whether it is a terminal)."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Span, Text

from harness.characters import printable
from harness.report.section import Cell, Mark, Name, Note, Report, Section, Table, Tone
from harness.report.wording import SIMULATED_NOTE, shorten, write_cell

if TYPE_CHECKING:
    from rich.console import Console

STYLES: dict[Tone, str] = {"good": "bold green", "warn": "bold yellow", "bad": "bold red", "": "bold"}
GAP = 2
NAME_WIDTH = 23
"""Characters of a name that stay, if columns can be left out instead."""
SHORTEST_NAME = 6


def print_report(report: Report, console: Console, *, written: Path | None = None) -> None:
    """Print a report and the path of its page. Off a terminal, sentences are not wrapped, so that `grep` finds them."""
    text_width = console.width if console.is_terminal else sys.maxsize
    for line in report_lines(report, console.width, text_width):
        console.print(line, soft_wrap=True)
    if written is not None:
        console.print(Text(f"Report: {printable(str(written))}", style="bold"), soft_wrap=True)


def report_lines(report: Report, width: int, text_width: int = sys.maxsize) -> Iterator[Text]:
    """A report's lines: tables in at most `width` characters if possible, sentences wrapped at `text_width`."""
    if report.simulated:
        yield from _wrapped(SIMULATED_NOTE, text_width, style="bold yellow")
    if report.invalid:
        yield from _wrapped(f"INVALID: {printable(report.invalid)}", text_width, style="bold red")
    for fact in report.facts:
        yield from _wrapped(printable(fact), text_width)
    for i, section in enumerate(report.sections):
        if i or report.facts:
            yield Text()
        yield from _section_lines(section, width, text_width)


def _section_lines(section: Section, width: int, text_width: int) -> Iterator[Text]:
    if section.title:
        yield from _wrapped(printable(section.title), text_width, style="bold")
    if section.text:
        yield from _wrapped(printable(section.text), text_width)
    if section.table is not None:
        yield from _card_lines(section.table, width) if section.layout == "cards" else table_lines(section.table, width)
    for note in section.notes:
        yield from _note_lines(note, text_width)


def _note_lines(note: Note, text_width: int) -> Iterator[Text]:
    head = f"{printable(note.label)}: " if note.label else "! " if note.tone else ""
    first, *more = _wrapped(f"{head}{printable(note.text)}", text_width)
    first.stylize(STYLES[note.tone], 0, len(head))
    yield from (first, *more)
    for line in note.details:
        yield from _wrapped(f"    {printable(line)}", text_width)


def _wrapped(text: str, width: int, *, style: str = "") -> list[Text]:
    """The text broken at spaces, with continuation lines indented. A longer word, such as a path, stays whole."""
    indent = " " * (len(text) - len(text.lstrip()) + GAP)
    lines = wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return [Text(line, style=style) for line in lines or [""]]


def _card_lines(table: Table, width: int) -> Iterator[Text]:
    """A line for each row. A cell that does not fit starts a new line under the second cell and is broken at spaces."""
    head = max((cell_len(write_cell(row[0])) for row in table.rows), default=0)
    for first, *rest in table.rows:
        line = Text("  ").append(_pad(write_cell(first), head, left=True), style="bold")
        for cell in rest:
            text = write_cell(cell, short=True)
            room = max(1, width - head - 2 * GAP)
            for i, piece in enumerate(wrap(text, room, break_long_words=False, break_on_hyphens=False)):
                full = line.cell_len + GAP + cell_len(piece) > width
                if i or (full and line.cell_len > head + GAP):
                    yield line
                    line = Text(" " * (head + GAP))
                line.append(" " * GAP).append(piece, style=_style(cell))
        yield line


def table_lines(table: Table, width: int, *, name_width: int = NAME_WIDTH) -> list[Text]:
    """The heading and the rows, in at most `width` characters if possible.

    The lightest columns are left out first, before the names get narrower than `name_width`.
    """
    shown, room = _fit(table, width, name_width)
    names = [_name_lines(row[0], room if len(row) > 1 else width, _indent(table, row)) for row in table.rows]
    name_width = max([cell_len(_heading(table, 0)), *(cell_len(each) for lines in names for each in lines)])
    name_width = min(name_width, room)
    widths = {i: _width(table, i, intervals) for i, intervals in shown.items()}
    head = _pad(shorten(_heading(table, 0), name_width), name_width, left=True)
    for i in shown:
        head += " " * GAP + _pad(_heading(table, i), widths[i], left=table.columns[i].is_text)
    lines = [Text(head.rstrip(), style="bold")]
    for row, (name, *more) in zip(table.rows, names, strict=True):
        text, spans = _pad(name, name_width, left=True), []
        for i, intervals in shown.items() if len(row) > 1 else ():
            text += " " * GAP
            cell = _pad(write_cell(row[i], intervals=intervals, short=True), widths[i], left=table.columns[i].is_text)
            if style := _style(row[i]):
                spans.append(Span(len(text), len(text) + len(cell), style))
            text += cell
        lines += [Text(text.rstrip(), style="" if len(row) > 1 else "bold", spans=spans), *map(Text, more)]
    return lines


def _fit(table: Table, width: int, name_width: int) -> tuple[dict[int, bool], int]:
    """The columns to show after the names, each with whether to show its intervals, and the width of the names."""
    rows = [row for row in table.rows if len(row) > 1]
    heading = _heading(table, 0)
    width_of = cache(partial(_width, table))
    shown = {i: _has_intervals(table, i) for i, column in enumerate(table.columns) if i and column.weight}

    def names(broken_from: int) -> int:
        lines = (line for row in rows for line in _name_lines(row[0], broken_from, _indent(table, row)))
        return max(map(cell_len, (heading, *lines)))

    def room() -> int:
        return width - sum(GAP + width_of(i, intervals) for i, intervals in shown.items())

    is_whole = bool(table.columns) and table.columns[0].is_whole
    least = names(sys.maxsize if is_whole else name_width)
    while room() < least:
        columns = [(table.columns[i].weight, True, -i) for i in shown if len(shown) > 1]
        intervals = [(table.columns[i].interval_weight, False, -i) for i in shown if shown[i]]
        if not columns and not intervals:
            break
        _, whole, i = min(columns + intervals)
        if whole:
            del shown[-i]
        else:
            shown[-i] = False
    return shown, max(least if is_whole else SHORTEST_NAME, room())


def _has_intervals(table: Table, i: int) -> bool:
    return table.columns[i].interval_weight > 0 and _width(table, i, True) > _width(table, i, False)


def _width(table: Table, i: int, intervals: bool) -> int:
    """The width in characters of column `i`, with or without its intervals."""
    cells = (write_cell(row[i], intervals=intervals, short=True) for row in table.rows if len(row) > 1)
    return max(cell_len(_heading(table, i)), *map(cell_len, cells), 0)


def _heading(table: Table, i: int) -> str:
    return printable(table.columns[i].heading)


def _indent(table: Table, row: Sequence[Cell]) -> str:
    return "  " if len(row) > 1 and any(len(each) == 1 for each in table.rows) else ""


def _name_lines(cell: Cell, width: int, indent: str) -> Sequence[str]:
    """A row's name in lines of at most `width` characters. A target's name that does not fit wraps after the model."""
    text = indent + write_cell(cell)
    head, slash, tail = text.partition("/")
    if cell_len(text) <= width or not slash or not isinstance(cell, Name):
        return [shorten(text, width)]
    return [shorten(head + slash, width), f"  {shorten(tail, width - 2)}"]


def _pad(text: str, width: int, *, left: bool = False) -> str:
    space = " " * (width - cell_len(text))
    return text + space if left else space + text


def _style(cell: Cell) -> str:
    return STYLES[cell.tone] if isinstance(cell, Mark) and cell.tone else ""
