"""Trends of a suite: each metric over its runs, with intervals, changes of level and changes of the suite marked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num, num2date
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from harness.analysis.history import Point, SuiteHistory, Trend
from harness.analysis.metrics import METRICS
from harness.characters import counted, printable
from harness.report.drawing.frame import Provenance, legend_entry, open_frame
from harness.report.drawing.scales import scale_y, write_share_tick
from harness.report.drawing.style import FAILURE, GREY, Look, assign_looks
from harness.report.drawing.words import NAME_CHARACTERS, list_few, say, short_name
from harness.report.history.sections import about_search, count_sentence, digest_changes, size_of
from harness.report.section import Column, Number, Table
from harness.report.wording import date_of, interval_note, shorten

READ = "A triangle marks the run at which a level changed; a hollow point is a percentile without an upper bound."
PANEL_IN = 1.55
COLUMNS = 2
INTERVALS_UP_TO = 40
"""Runs of a line up to which its intervals are bars; beyond, they are a band."""


def draw(history: SuiteHistory) -> Figure:
    """One panel a metric over one time axis; a line a target, broken where the suite's digest changed."""
    metrics = list(dict.fromkeys(trend.metric for trend in history.trends))
    looks = assign_looks(history.targets)
    rows = max(1, math.ceil(len(metrics) / COLUMNS))
    figure = open_frame(
        _provenance(history),
        title=_title(history),
        question="Each point is a run. A line is broken where the suite changed: other prompts are not comparable.",
        body_in=0.45 + PANEL_IN * rows,
        legend=_legend(history, looks),
    )
    columns = min(COLUMNS, max(1, len(metrics)))
    panels = figure.subplots(rows, columns, sharex=True, squeeze=False).flat
    days = [day_of(run.started_utc) for run in history.runs]
    for axes, metric in zip(panels, metrics, strict=False):
        _draw_panel(axes, history, [t for t in history.trends if t.metric == metric], looks, days)
    for axes in figure.axes[len(metrics) :]:
        axes.set_axis_off()
    for axes in figure.axes[max(0, len(metrics) - columns) : len(metrics)]:
        axes.tick_params(axis="x", labelbottom=True)
    return figure


def table(history: SuiteHistory) -> Table:
    """Every run with the value of each trend."""
    values = [{point.run: point for point in (*trend.points, *trend.apart)} for trend in history.trends]
    several = len(history.targets) > 1
    return Table(
        columns=[Column(heading="run", is_text=True), *(_column(trend, several) for trend in history.trends)],
        rows=[
            (date_of(run.started_utc), *(_cell(each.get(i), t) for t, each in zip(history.trends, values, strict=True)))
            for i, run in enumerate(history.runs)
        ],
    )


def _column(trend: Trend, several: bool) -> Column:
    label = METRICS[trend.metric].label
    return Column(heading=f"{label}, {short_name(trend.target)}" if several else label)


def _cell(point: Point | None, trend: Trend) -> Number | None:
    if point is None:
        return None
    return Number(
        point.value, trend.unit, point.low, point.high, bounded=point.low is not None or point.high is not None
    )


def describe(history: SuiteHistory) -> str:
    """The changes of level, the latest values of the first trends."""
    changes = [
        f"{METRICS[trend.metric].label} of {short_name(trend.target)} {size_of(change, trend.unit)} at "
        f"{date_of(change.started_utc)}"
        for trend, change in history.change_points
    ]
    return say(f"{counted(len(history.runs), 'run')}", list_few(changes) or about_search(history))


def _title(history: SuiteHistory) -> str:
    if history.change_points:
        trend, change = history.change_points[0]
        more = (
            f", and {counted(len(history.change_points) - 1, 'more change')}" if len(history.change_points) > 1 else ""
        )
        return f"{METRICS[trend.metric].label} of {printable(trend.target)} {size_of(change, trend.unit)}{more}"
    suite = shorten(printable(history.suite), NAME_CHARACTERS)
    return f"{suite}: {counted(len(history.runs), 'run')}" + ("" if history.missing else ", no change of level found")


def _provenance(history: SuiteHistory) -> Provenance:
    runs = history.runs
    when = " to ".join(dict.fromkeys(date_of(run.started_utc) for run in (runs[0], runs[-1])))
    suite = shorten(printable(history.suite), NAME_CHARACTERS)
    return Provenance(
        simulated=history.simulated,
        source=[f"suite {suite}", f"digest {runs[-1].suite_digest} (latest)", when],
        facts=[
            count_sentence(history),
            f"{interval_note(history.level)} of each run's own data",
            about_search(history),
        ],
    )


def _legend(history: SuiteHistory, looks: Mapping[str, Look]) -> list[Artist]:
    handles: list[Artist] = []
    for target in history.targets:
        look = looks[target.target]
        handles.append(
            legend_entry(look.label, color=look.colour, linestyle=look.line, marker=look.marker, markersize=5)
        )
    if history.change_points:
        handles.append(legend_entry("level changed at this run", color=FAILURE, marker="v", markersize=7))
    if digest_changes(history):
        handles.append(legend_entry("the suite's digest changed", color=GREY, linestyle=(0, (2, 2)), linewidth=1))
    if any(trend.apart for trend in history.trends):
        handles.append(legend_entry("a run that is not valid (not searched)", color=GREY, marker="x", markersize=5))
    if any(is_loose(trend, point) for trend in history.trends for point in trend.points):
        label = "hollow: a percentile without an upper bound at this run's n"
        handles.append(legend_entry(label, color=GREY, marker="o", markersize=5, markerfacecolor="white"))
    return handles


def is_loose(trend: Trend, point: Point) -> bool:
    """Whether the point is a percentile that its run's data does not bound from above."""
    return METRICS[trend.metric].quantile is not None and point.high is None


def _draw_panel(
    axes: Axes, history: SuiteHistory, trends: Sequence[Trend], looks: Mapping[str, Look], days: Sequence[float]
) -> None:
    metric = METRICS[trends[0].metric]
    share = metric.unit == "share"
    unit = {"s": " (s)", "usd": " (USD)"}.get(metric.unit, "")
    scale_time(axes, days, ticks=(3, 7))
    shown = [point for trend in trends for point in (*trend.points, *trend.apart)]
    if share:
        _scale_share(axes, shown)
    elif scale_y(axes, [v for p in shown for v in (p.value, p.high) if v is not None]):
        unit = f"{unit}, log scale"
    axes.set_title(f"{metric.label}{unit}", fontsize=9)
    for index in digest_changes(history):
        axes.axvline(days[index], color=GREY, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
    for trend in trends:
        _draw_trend(axes, trend, looks[trend.target], history, days)


def _draw_trend(axes: Axes, trend: Trend, look: Look, history: SuiteHistory, days: Sequence[float]) -> None:
    style: dict[str, Any] = {
        "color": look.colour,
        "linestyle": look.line,
        "marker": look.marker,
        "markersize": 3.5,
        "linewidth": 1.4,
    }
    for part in _unbroken(trend.points, history):
        axes.plot([days[p.run] for p in part], [p.value for p in part], **style)
        loose = [p for p in part if is_loose(trend, p)]
        hollow = {**style, "linestyle": "none", "markerfacecolor": "white"}
        if loose:
            axes.plot([days[p.run] for p in loose], [p.value for p in loose], **hollow)
        _draw_intervals(axes, part, look, days, bars=len(trend.points) <= INTERVALS_UP_TO)
    axes.plot([days[p.run] for p in trend.apart], [p.value for p in trend.apart], "x", color=GREY, markersize=5)
    at = {history.runs[p.run].run_id: p for p in trend.points}
    for change in trend.change_points:
        point = at[change.run_id]
        axes.plot(days[point.run], point.value, "v", color=FAILURE, markersize=7, zorder=5)


def _draw_intervals(axes: Axes, part: Sequence[Point], look: Look, days: Sequence[float], *, bars: bool) -> None:
    """Bounds that the data cannot give are left out."""
    bounded = [p for p in part if p.low is not None or p.high is not None]
    at = [days[p.run] for p in bounded]
    low = np.array([p.value if p.low is None else p.low for p in bounded])
    high = np.array([p.value if p.high is None else p.high for p in bounded])
    if bars:
        axes.vlines(at, low, high, color=look.colour, linewidth=0.9, alpha=0.55)
    else:
        axes.fill_between(at, low, high, color=look.colour, linewidth=0, alpha=0.15)


def _unbroken(points: Sequence[Point], history: SuiteHistory) -> list[list[Point]]:
    """The points in stretches of one suite digest."""
    parts: list[list[Point]] = []
    for point in points:
        digest = history.runs[point.run].suite_digest
        if not parts or history.runs[parts[-1][-1].run].suite_digest != digest:
            parts.append([])
        parts[-1].append(point)
    return parts


def scale_time(axes: Axes, days: Sequence[float], *, ticks: tuple[int, int]) -> None:
    """An axis of dates with some room. `ticks`: the fewest and the most of them."""
    first, last = min(days), max(days)
    if first == last:
        axes.set_xticks([first], [f"{num2date(first):%Y-%m-%d %H:%M}"])  # type: ignore[no-untyped-call]
        return
    room = 0.03 * (last - first)
    axes.set_xlim(first - room, last + room)
    locator = AutoDateLocator(minticks=ticks[0], maxticks=ticks[1], tz=UTC)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))  # type: ignore[no-untyped-call]


def _scale_share(axes: Axes, points: Sequence[Point]) -> None:
    """From the lowest bound to the highest; a share's axis need not begin at zero, and says its percents."""
    values = [v for p in points for v in (p.value, p.low, p.high) if v is not None]
    low, high = min(values), max(values)
    room = max(0.02, 0.08 * (high - low))
    axes.set_ylim(max(-0.01, low - room), min(1.01, high + room))
    axes.yaxis.set_major_formatter(FuncFormatter(write_share_tick))


def day_of(started_utc: str) -> float:
    """A run's start as matplotlib's days."""
    return float(date2num(datetime.fromisoformat(started_utc)))  # type: ignore[no-untyped-call]
