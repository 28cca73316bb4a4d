"""A history on a terminal: a table a suite, then what changed, when, and what differed then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.analysis.history.history import METRICS, History, SuiteHistory, Trend
from harness.characters import printable
from harness.report.history.sections import (
    CAUTION,
    change_sentence,
    changes_cell,
    difference_lines,
    ends,
    left_out,
    scope_sentence,
    search_sentence,
    sparkline,
)
from harness.report.terminal import fold

GAP = 2


class _Column(msgspec.Struct, frozen=True, kw_only=True):
    heading: str
    cell: Callable[[Trend], str]
    weight: int
    """On a narrow terminal, those of least weight go first."""
    right: bool = True


_COLUMNS = (
    _Column(heading="runs", cell=lambda trend: f"{len(trend.points):,}", weight=6),
    _Column(heading="first", cell=lambda trend: ends(trend)[0].partition(" [")[0], weight=4),
    _Column(heading="latest", cell=lambda trend: ends(trend)[1], weight=8),
    _Column(heading="trend", cell=sparkline, weight=3, right=False),
    _Column(heading="changes", cell=changes_cell, weight=7),
)
_BRIEF = tuple(
    msgspec.structs.replace(c, cell=lambda trend: ends(trend)[1].partition(" [")[0]) if c.heading == "latest" else c
    for c in _COLUMNS
)
"""Without intervals, where those leave no room for the figures themselves."""


def print_history(history: History, console: Console, *, written: Sequence[Path] = ()) -> None:
    """Print every suite's history. The console decides on colour and width (NO_COLOR, COLUMNS, not a terminal)."""
    for suite in history.suites:
        _print_suite(suite, console)
    if any(not suite.missing for suite in history.suites):
        console.print(Text(CAUTION, style="dim"), soft_wrap=True)
    for path in written[:1]:
        console.print(Text(f"History: {printable(str(path))}", style="bold"), soft_wrap=True)


def _print_suite(suite: SuiteHistory, console: Console) -> None:
    title = Text(printable(suite.suite), style="bold")
    if suite.simulated:
        title.append("  SIMULATED, not Amazon Bedrock", style="bold yellow")
    console.print(title, soft_wrap=True)
    console.print(Text(f"{scope_sentence(suite)}. {search_sentence(suite)}"), soft_wrap=True)
    if suite.trends:
        console.print(_table(suite, console.width))
    for trend, shift in suite.shifts:
        line = Text("! ", style="bold red" if shift.worse else "bold green")
        console.print(line.append(change_sentence(trend, shift), style="not bold default"), soft_wrap=True)
        for difference in difference_lines(shift):
            console.print(Text(f"    what differed: {difference}"), soft_wrap=True)
    for told in left_out(suite):
        console.print(Text("not counted: ", style="yellow").append(told, style="default"), soft_wrap=True)
    console.print()


def _table(suite: SuiteHistory, width: int) -> Table:
    """A row for each target's name, and under it one for each of its metrics."""
    columns, name_width = _fit(suite, width)
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("target", no_wrap=True)
    for column in columns:
        table.add_column(column.heading, justify="right" if column.right else "left", no_wrap=True)
    for target in suite.targets:
        table.add_row(Text(fold(printable(target.target), name_width)))
        for trend in suite.trends:
            if trend.target == target.target:
                table.add_row(Text(_label(trend)), *(Text(column.cell(trend)) for column in columns))
    return table


def _label(trend: Trend) -> str:
    return f"  {METRICS[trend.metric].label}"


def _fit(suite: SuiteHistory, width: int) -> tuple[list[_Column], int]:
    """The columns that fit beside the metrics' names in `width` characters, and the room for the targets' names."""
    least = max(len(_label(trend)) for trend in suite.trends)
    columns = _drop(_COLUMNS, suite, width - least)
    if _width(columns, suite) > width - least:
        columns = _drop(_BRIEF, suite, width - least)
    return columns, max(least, width - _width(columns, suite))


def _drop(columns: Sequence[_Column], suite: SuiteHistory, room: int) -> list[_Column]:
    kept = list(columns)
    while len(kept) > 1 and _width(kept, suite) > room:
        kept.remove(min(kept, key=lambda column: column.weight))
    return kept


def _width(columns: Sequence[_Column], suite: SuiteHistory) -> int:
    """Characters that `columns` take, each with the gap before it."""
    return sum(GAP + max(len(c.heading), *(len(c.cell(trend)) for trend in suite.trends)) for c in columns)
