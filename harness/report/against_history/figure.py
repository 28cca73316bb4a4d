"""A run against its history: each metric's past runs, the band that they predict, and today's point."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from harness.analysis.against_history.rows import HistoryReport, HistoryRow
from harness.analysis.compare.comparison import ORDER
from harness.characters import counted, printable
from harness.report.against_history.sections import COLUMNS as COLUMNS_OF_A_ROW
from harness.report.against_history.sections import describe_row, target_verdict
from harness.report.compare.forest import SHADE, verdict_style
from harness.report.compare.verdicts import mark, metric_name
from harness.report.drawing.frame import Provenance, legend_entry, open_frame
from harness.report.drawing.scales import write_share_tick, write_tick
from harness.report.drawing.style import GREY, drawable
from harness.report.drawing.words import NAME_CHARACTERS, list_few, say, short_name
from harness.report.history.figure import day_of, scale_time
from harness.report.section import Column, Name, Table, tabulate
from harness.report.wording import date_of, interval_note, shorten

READ = "Today's point inside the shade is what the past runs predict; its shape and colour tell the verdict."
PANEL_IN = 1.6
COLUMNS = 2
MOST_PANELS = 24


def draw(report: HistoryReport) -> Figure:
    """A panel a row with past runs, the worst first: the shade is where one more run lies if nothing has changed."""
    rows = shown_rows(report)
    height = max(1, math.ceil(len(rows) / COLUMNS))
    figure = open_frame(
        _provenance(report),
        title=_title(report),
        question="Each point is a run, the last one today's. Shaded: where one more run lies if nothing has changed.",
        body_in=0.3 + PANEL_IN * height,
        legend=_legend(rows),
    )
    panels = figure.subplots(height, COLUMNS, squeeze=False).flat
    for axes, row in zip(panels, rows, strict=False):
        _draw_panel(axes, row, report)
    for axes in figure.axes[len(rows) :]:
        axes.set_axis_off()
    return figure


def table(report: HistoryReport) -> Table:
    """Today's value, what is predicted for it, and the verdict: a row for each panel."""
    return tabulate(shown_rows(report), [(Column(heading="target"), lambda row: Name(row.target)), *COLUMNS_OF_A_ROW])


def describe(report: HistoryReport) -> str:
    """How many of today's values lie outside of the prediction, and the worst of them."""
    rows = shown_rows(report)
    outside = [row for row in rows if row.inside is False]
    named = [f"{metric_name(row.metric)} of {short_name(row.target)}" for row in outside]
    return say(
        f"{len(outside)} of {counted(len(rows), 'value')} outside of what {counted(len(report.past_runs), 'past run')} "
        f"predict{'s' if len(report.past_runs) == 1 else ''}",
        list_few(named),
    )


def shown_rows(report: HistoryReport) -> list[HistoryRow]:
    """The rows that can be drawn, the worst first, at most MOST_PANELS."""
    rows = [row for row in report.rows if row.past and row.today is not None]
    return sorted(rows, key=lambda row: ORDER.index(row.verdict))[:MOST_PANELS]


def _title(report: HistoryReport) -> str:
    worst = min(report.targets, key=lambda target: ORDER.index(target_verdict(report, target)))
    outside = [row for row in report.of(worst) if row.inside is False]
    if outside:
        row = min(outside, key=lambda row: ORDER.index(row.verdict))
        return f"{printable(worst)}: {describe_row(row)}"
    return f"{shorten(printable(report.suite), NAME_CHARACTERS)}: nothing is outside of what the past runs predict"


def _provenance(report: HistoryReport) -> Provenance:
    suite, run = (shorten(printable(name), NAME_CHARACTERS) for name in (report.suite, report.run_id))
    return Provenance(
        simulated=report.simulated,
        source=[f"suite {suite}", f"digest {report.suite_digest}", date_of(report.started_utc), f"run {run}"],
        facts=[
            f"{counted(len(report.past_runs), 'past run')}",
            f"{interval_note(report.level)} of prediction, Holm over {report.family}",
        ],
    )


def _legend(rows: Sequence[HistoryRow]) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = [legend_entry("a past run", color=GREY, marker="o", markersize=4)]
    handles += [
        legend_entry(f"today: {mark(verdict)}", **verdict_style(verdict), markersize=7)
        for verdict in ORDER
        if any(row.verdict == verdict for row in rows)
    ]
    if any(row.expected is not None for row in rows):
        handles.append(Patch(facecolor=SHADE, label="predicted for today"))
    return handles


def _draw_panel(axes: Axes, row: HistoryRow, report: HistoryReport) -> None:
    days = [day_of(point.started_utc) for point in row.past]
    today = day_of(report.started_utc)
    if row.low is not None and row.high is not None and row.expected is not None:
        axes.axhspan(row.low, row.high, color=SHADE, linewidth=0, zorder=0)
        axes.axhline(row.expected, color=GREY, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)
    axes.plot(days, [point.value for point in row.past], color=GREY, marker="o", markersize=3, linewidth=1)
    axes.plot([today], [row.today or 0.0], **verdict_style(row.verdict), markersize=8, zorder=4)
    _scale_value(axes, row)
    scale_time(axes, [*days, today], ticks=(2, 5))
    unit = {"s": " (s)", "usd": " (USD)"}.get(row.unit, "")
    target = shorten(printable(row.target), 34)
    axes.set_title(drawable(f"{metric_name(row.metric)}{unit}, {target}"), fontsize=8.5)


def _scale_value(axes: Axes, row: HistoryRow) -> None:
    """All that is drawn with some room; an axis of a few percent need not begin at zero."""
    values = [v for v in (*(p.value for p in row.past), row.today, row.low, row.high) if v is not None]
    low, high = min(values), max(values)
    room = 0.1 * (high - low) or 0.05 * high or 0.01
    axes.set_ylim(max(0.0, low - room) if low > 0 else -room, high + room)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    if row.unit == "share":
        axes.yaxis.set_major_formatter(FuncFormatter(write_share_tick))
    else:
        axes.yaxis.set_major_formatter(FuncFormatter(write_tick))
