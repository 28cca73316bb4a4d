"""A comparison on a terminal: the verdict as a sentence, then its figures, then what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.analysis.compare.comparison import CompareReport, Comparison, Difference, Verdict
from harness.analysis.counted import counted
from harness.characters import printable
from harness.report.compare.sections import COLUMNS, DIFFERENCE, DIFFERENCE_ALONE, DifferenceColumn, one_sided, remarks
from harness.report.compare.verdicts import (
    candidate_of,
    describe_correct_cost,
    describe_flips,
    exploratory,
    flips_listed,
    gated,
    headline,
    mark,
    metric_name,
    worst_first,
)
from harness.report.wording import interval_note, sentence, shorten

STYLES: dict[Verdict, str] = {
    "worse": "bold red",
    "inconclusive": "bold yellow",
    "equivalent": "bold cyan",
    "better": "bold green",
}
GAP = 2
METRIC_WIDTH = 28
SHORTEST_METRIC = 24
MOST_IDS = 5
MOST_FLIPS = 50
MOST_EXPLORATORY = 8


def print_report(report: CompareReport, console: Console, *, page: Path | None = None) -> None:
    """Print all comparisons, worst first. The console decides on colour and width (NO_COLOR, COLUMNS, no terminal)."""
    for line in verdict_lines(report):
        console.print(line, soft_wrap=True)
    for c in worst_first(report):
        console.print()
        if len(report.comparisons) > 1:
            console.print(Text(printable(candidate_of(c)), style="bold"), soft_wrap=True)
        _print_comparison(c, report, console)
    for f in report.findings:
        style = "bold red" if f.invalidates else "yellow"
        console.print(Text("! ", style=style).append(sentence(f), style="not bold default"), soft_wrap=True)
    if page is not None:
        console.print(Text(f"Report: {printable(str(page))}", style="bold"), soft_wrap=True)


def verdict_lines(report: CompareReport) -> list[Text]:
    """One line a candidate, worst first; before them that the runs are invalid or simulated, where they are."""
    lines = []
    if report.simulated:
        lines.append(Text("SIMULATED, not Amazon Bedrock", style="bold yellow"))
    if not report.valid:
        lines.append(Text("INVALID: a run of these may not be believed, so neither may this.", style="bold red"))
    return [*lines, *(_verdict_line(c, report.level) for c in worst_first(report))]


def _verdict_line(c: Comparison, level: float) -> Text:
    return Text(f"{mark(c.verdict)}: ", style=STYLES[c.verdict]).append(headline(c, level), style="not bold default")


def _print_comparison(c: Comparison, report: CompareReport, console: Console) -> None:
    rows = gated(c)
    if rows:
        console.print(_table(rows, console.width))
    notes = f"{counted(c.prompts, 'prompt')} asked of both, {interval_note(report.level)}, Holm over {report.family}"
    console.print(Text(notes, style="dim"), soft_wrap=True)
    for line in remarks(c, rows):
        console.print(Text(f"  {line}"), soft_wrap=True)
    console.print(Text("Answers: ", style="bold").append(_flips(c), "not bold"), soft_wrap=True)
    if cost := "; ".join(part for part in (printable(c.drift.told), describe_correct_cost(c)) if part):
        console.print(Text("Cost: ", style="bold").append(cost, "not bold"), soft_wrap=True)
    for line in one_sided(c, MOST_IDS):
        console.print(Text(f"! {line}", style="yellow"), soft_wrap=True)
    _print_exploratory(c, console)


def _print_exploratory(c: Comparison, console: Console) -> None:
    rows = exploratory(c)
    if not rows:
        return
    clear = [d for d in rows if d.verdict != "inconclusive"]
    told = f"{len(clear):,} of {counted(len(rows), 'row')} by tag and metric {'is' if len(clear) == 1 else 'are'} clear"
    console.print(Text("Exploratory, decides nothing: ", style="bold").append(told, "not bold"), soft_wrap=True)
    if clear:
        console.print(_table(clear[:MOST_EXPLORATORY], console.width))


def _flips(c: Comparison) -> str:
    return f"{describe_flips(c)}; {flips_listed(c, MOST_FLIPS)}" if c.flips else describe_flips(c)


def _table(rows: Sequence[Difference], width: int) -> Table:
    columns, name_width = fit_columns(rows, width)
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("metric", no_wrap=True)
    for column in columns:
        table.add_column(column.heading, justify="left" if column.heading == "verdict" else "right", no_wrap=True)
    for d in rows:
        cells = [Text(column.cell(d), STYLES[d.verdict] if column.heading == "verdict" else "") for column in columns]
        table.add_row(Text(shorten(metric_name(d.metric), name_width)), *cells)
    return table


def fit_columns(rows: Sequence[Difference], width: int) -> tuple[list[DifferenceColumn], int]:
    """The columns that fit beside the metrics' names in `width` characters, and the room for those names."""
    columns = list(COLUMNS)
    longest = min(METRIC_WIDTH, max((len(metric_name(d.metric)) for d in rows), default=6))
    while len(columns) > 1 and min(longest, SHORTEST_METRIC) + _width(columns, rows) > width:
        at = columns.index(min(columns, key=lambda column: column.weight))
        columns[at : at + 1] = [] if columns[at] is not DIFFERENCE else [DIFFERENCE_ALONE]
    return columns, max(6, min(longest, width - _width(columns, rows)))


def _width(columns: Sequence[DifferenceColumn], rows: Sequence[Difference]) -> int:
    return sum(GAP + max(len(c.heading), *(len(c.cell(d)) for d in rows)) for c in columns)
