"""The final table on a terminal, then who leads, what to mind, and where the report is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.analysis.summary.summary import RunSummary
from harness.characters import printable
from harness.report.run.graded import judging_line
from harness.report.run.sections import (
    BriefColumn,
    brief_columns,
    is_believable,
    leaders,
    retry_sentence,
    routing_sentence,
)
from harness.report.wording import counts, interval_note, rate_interval, sentence, shorten, usd, value_of, verdict_of

TARGET_WIDTH = 34
NARROW_TARGET_WIDTH = 20
GAP = 2


def print_summary(summary: RunSummary, console: Console, *, report: Path | None = None) -> None:
    """Print a run's result. The console decides on colour and width (NO_COLOR, COLUMNS, not a terminal)."""
    console.print(_table(summary, console.width))
    findings = [*_judging(summary), *_findings(summary)]
    for line in [_scope(summary), *_retries(summary), *_leads(summary), *_routings(summary), *findings]:
        console.print(line, soft_wrap=True)
    if report is not None:
        console.print(Text(f"Report: {printable(str(report))}", style="bold"), soft_wrap=True)


def _table(summary: RunSummary, width: int) -> Table:
    columns, target_width = fit_columns(summary, width)
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold", title_justify="left")
    table.add_column("target", no_wrap=True)
    for column in columns:
        table.add_column(column.heading, justify="right", no_wrap=True)
    for t in summary.targets:
        table.add_row(
            Text(fold(printable(t.target), target_width)),
            *(Text(column.cell(t)) for column in columns),
        )
    return table


def fold(name: str, width: int) -> str:
    """The name in `width` characters: in two lines, after the model, where it does not fit in one."""
    head, slash, tail = name.partition("/")
    if len(name) <= width or not slash:
        return shorten(name, width)
    return f"{shorten(head + slash, width)}\n  {shorten(tail, width - 2)}"


def fit_columns(summary: RunSummary, width: int) -> tuple[list[BriefColumn], int]:
    """The columns that fit beside the targets' names in `width` characters, and the room for those names."""
    columns = brief_columns(summary)
    longest = max((len(printable(t.target)) for t in summary.targets), default=6)
    for limit in (TARGET_WIDTH, NARROW_TARGET_WIDTH):
        names = min(longest, max(limit, width - _width(columns, summary)))
        if names + _width(columns, summary) <= width:
            return columns, names
    names = min(longest, NARROW_TARGET_WIDTH)
    while len(columns) > 1 and names + _width(columns, summary) > width:
        columns.remove(min(columns, key=lambda column: column.weight))
    return columns, min(longest, max(names, width - _width(columns, summary)))


def _width(columns: Sequence[BriefColumn], summary: RunSummary) -> int:
    """Characters that `columns` take, each with the gap before it."""
    return sum(GAP + max(len(c.heading), *(len(c.cell(t)) for t in summary.targets), 0) for c in columns)


def _scope(summary: RunSummary) -> Text:
    n = counts([t.requests for t in summary.targets])
    cost = f", {usd(summary.total_cost_usd)} in total" if summary.total_cost_usd is not None else ""
    line = Text("SIMULATED, not Amazon Bedrock: " if summary.simulated else "", style="bold yellow")
    about = f"n = {n} per target, {interval_note(summary.level)}, latencies in seconds from due{cost}"
    return line.append(about, style="not bold default")


def _retries(summary: RunSummary) -> list[Text]:
    """What the request's latencies hold beside those of its last attempt, one line a target that tried again."""
    return [Text(f"  {printable(t.target)}: {retried}") for t in summary.targets if (retried := retry_sentence(t))]


def _leads(summary: RunSummary) -> list[Text]:
    """One line a metric; a lead that is too close to call is said to be none."""
    width = max((len(w.metric) for w in summary.winners), default=0)
    lines = []
    for w in summary.winners:
        line = Text("  ").append(f"{w.metric:<{width}}  ", style="bold")
        line.append(f"{printable(leaders(w))}  {value_of(w)}")
        lines.append(line if w.clear else line.append(f"  ({printable(verdict_of(w))})", style="yellow"))
    return [Text("\nWho leads", style="bold"), *lines, Text()] if lines else [Text()]


def _routings(summary: RunSummary) -> list[Text]:
    """Global against regional, one sentence a pair."""
    if not summary.routings:
        return []
    lines = [Text(f"  {printable(routing_sentence(pair, summary))}") for pair in summary.routings]
    return [Text("Global or regional", style="bold"), *lines, Text()]


def _judging(summary: RunSummary) -> list[Text]:
    """Whom the judges prefer, and what they cost."""
    lines = [
        Text(f"  {printable(t.target)}  win rate {rate_interval(t.preference.win_rate)}")
        for t in summary.targets
        if t.preference is not None
    ]
    told = judging_line(summary)
    return [
        *([Text("Preferred to the baseline", style="bold"), *lines, Text()] if lines else []),
        *([Text(told, style="not bold default"), Text()] if told is not None else []),
    ]


def _findings(summary: RunSummary) -> list[Text]:
    lines = []
    if not is_believable(summary):
        lines.append(Text(f"INVALID: this run may not be believed (state: {summary.state}).", style="bold red"))
    for f in summary.findings:
        line = Text("! ", style="bold red" if f.invalidates else "yellow")
        lines.append(line.append(sentence(f), style="not bold default"))
    return lines
