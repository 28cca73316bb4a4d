"""Latency over the course of a run: drift, stalls and failures."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.analysis.columns import Columns, Floats
from harness.analysis.summary.summary import TargetSummary
from harness.report.drawing.frame import RunView, draw_message, legend_entry, open_figure
from harness.report.drawing.scales import scale_y
from harness.report.drawing.style import FAILURE, GREY, INK, Look
from harness.report.drawing.words import TARGET, say, short_name, span_of
from harness.report.section import Cell, Column, Table, number, tabulate
from harness.report.wording import seconds

READ = "Each dot is a request by when it was due; a step or a slope of the line is a drift, a gap of high dots a stall."
NO_VALUE = "No request was measured, so there is no timeline to show."
TITLE = "Did latency drift or stall during the run?"
PANEL_IN = 1.05
MANY_TARGETS = 12
LOW_PANEL_IN = 0.72
"""With more than MANY_TARGETS."""
MINUTES_FROM_S = 600.0
"""A longer run has its time axis in minutes."""
MEDIAN_OF = 10
"""The fewest answers in a group that shares a median."""
MOST_MEDIANS = 40
QUARTERS = ("first", "second", "third", "last")
RASTER_FROM = 3000
"""With more points than this in a figure, its dots are rasterised in the SVG file and thinned to one for each cell."""
CELLS = (1000, 200)
"""Cells of a panel, across and up. Each is smaller than a dot, so thinning does not show."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """The run's time axis. `unit_s`: seconds in its unit."""

    start_s: float
    length_s: float
    unit_s: float
    unit: str


def draw(view: RunView) -> Figure:
    """A panel for each target, on shared axes: E2E latency by when the request was due. Failures are at the top."""
    if not any(len(c.due_s) for c in view.columns.values()):
        return draw_message(view, title=TITLE, message=NO_VALUE)
    figure = open_figure(
        view,
        title=TITLE,
        question="E2E latency of each request by when it was due. All panels share one time axis.",
        body_in=0.6 + (LOW_PANEL_IN if len(view.targets) > MANY_TARGETS else PANEL_IN) * max(2, len(view.targets)),
        legend=_legend(view),
    )
    panels = figure.subplots(len(view.targets), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    span = view.once(_span)
    is_log = _scale(panels[0], view, span)
    for axes, t in zip(panels, view.targets, strict=True):
        _draw_panel(axes, view, t, span)
        axes.set_ylabel("s, log scale" if is_log else "s")
    panels[-1].set_xlabel(f"due, {span.unit} since the first request was due")
    return figure


def table(view: RunView) -> Table | None:
    """The median latency of each target in the quarters of the run, and its slowest answer."""
    if not any(len(c.due_s) for c in view.columns.values()):
        return None
    quarters = [(Column(heading=f"E2E p50, {name} quarter"), _quarter_of(view, i)) for i, name in enumerate(QUARTERS)]
    return tabulate(
        view.targets,
        [
            TARGET,
            (Column(heading="requests"), lambda t: t.requests),
            (Column(heading="failed"), lambda t: t.requests - t.succeeded),
            *quarters,
            (Column(heading="slowest answer"), lambda t: number(_slowest(view, t), "s")),
        ],
    )


def describe(view: RunView) -> str:
    """How far the median moved from the first to the last quarter of the run where it moved most, and the slowest."""
    if not any(len(c.due_s) for c in view.columns.values()):
        return NO_VALUE
    ends = [(t.target, _quarter(view, t, 0), _quarter(view, t, len(QUARTERS) - 1)) for t in view.targets]
    moved = [(abs(np.log(last / first)), name, first, last) for name, first, last in ends if first and last]
    if not moved and all(_slowest(view, t) is None for t in view.targets):
        return "No request succeeded, so only failures are shown."
    slowest = span_of("slowest answer", [(t.target, _slowest(view, t)) for t in view.targets], seconds)
    if not moved:
        return say(slowest)
    _, name, first, last = max(moved)
    return say(
        f"median E2E latency from the first quarter of the run to the last: {seconds(first)} to {seconds(last)} "
        f"({short_name(name)}{', where it moved most' if len(moved) > 1 else ''})",
        slowest,
    )


def _quarter_of(view: RunView, quarter: int) -> Callable[[TargetSummary], Cell]:
    return lambda t: number(_quarter(view, t, quarter), "s")


def _quarter(view: RunView, t: TargetSummary, quarter: int) -> float | None:
    """The median E2E latency of the answers that were due in a quarter of the run, s; None without one."""
    if t.target not in view.columns:
        return None
    c, span = view.columns[t.target], view.once(_span)
    at = np.clip((c.due_s - span.start_s) / (span.length_s or 1) * len(QUARTERS), 0, len(QUARTERS) - 1e-9).astype(int)
    answered = (c.done_s - c.due_s)[c.ok & (at == quarter)]
    return float(np.median(answered)) if len(answered) else None


def _slowest(view: RunView, t: TargetSummary) -> float | None:
    c = view.columns.get(t.target)
    return float((c.done_s - c.due_s)[c.ok].max()) if c is not None and c.ok.any() else None


def running_median(at: Floats, values: Floats) -> tuple[Floats, Floats]:
    """(mean of `at`, median of `values`) for each of at most MOST_MEDIANS equal groups of neighbours in time.

    Empty if there are fewer than MEDIAN_OF values.
    """
    groups = min(MOST_MEDIANS, len(at) // MEDIAN_OF)
    if not groups:
        return np.array([]), np.array([])
    order = np.argsort(at, kind="stable")
    parts = np.array_split(order, groups)
    return np.array([at[part].mean() for part in parts]), np.array([np.median(values[part]) for part in parts])


def one_per_cell(axes: Axes, at: Floats, values: Floats) -> npt.NDArray[np.int64]:
    """Sorted indices of the first point in each of the panel's CELLS that has one."""
    across, up = CELLS
    codes = _cell_of(at, axes.get_xlim(), across, log=False) * up
    codes += _cell_of(values, axes.get_ylim(), up, log=axes.get_yscale() == "log")
    first = np.full(across * up, -1)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return np.sort(first[first >= 0])


def _cell_of(values: Floats, limits: tuple[float, float], cells: int, *, log: bool) -> npt.NDArray[np.int64]:
    """The index of each value among `cells` equal parts of an axis. Values beyond the limits are in the outermost."""
    low, high = np.log(limits) if log else limits
    on_axis = np.log(values) if log else values
    return np.clip((on_axis - low) / (high - low) * cells, 0, cells - 1).astype(np.int64)


def _legend(view: RunView) -> list[Artist]:
    handles: list[Artist] = [legend_entry("an answered request", color=GREY, marker="o", markersize=4)]
    if any(not c.ok.all() for c in view.columns.values()):
        label = "a failed request (drawn at the top, as it has no latency)"
        handles.append(legend_entry(label, color=FAILURE, marker="x", markersize=6))
    if any(np.count_nonzero(c.ok) >= 2 * MEDIAN_OF for c in view.columns.values()):
        label = f"median of neighbouring answers (groups of at least {MEDIAN_OF})"
        handles.append(legend_entry(label, color=INK, linewidth=1.3, linestyle="-"))
    return handles


def _span(view: RunView) -> Span:
    due = np.concatenate([c.due_s for c in view.columns.values()])
    length_s = float(due.max() - due.min())
    minutes = length_s > MINUTES_FROM_S
    return Span(
        start_s=float(due.min()),
        length_s=length_s,
        unit_s=60.0 if minutes else 1.0,
        unit="minutes" if minutes else "seconds",
    )


def _scale(axes: Axes, view: RunView, span: Span) -> bool:
    end = span.length_s / span.unit_s
    axes.set_xlim(-0.01 * (end or 1), 1.01 * (end or 1))
    return scale_y(axes, np.concatenate([(c.done_s - c.due_s)[c.ok] for c in view.columns.values()]), room=1.25)


def _draw_panel(axes: Axes, view: RunView, t: TargetSummary, span: Span) -> None:
    look = view.look(t)
    failed = t.requests - t.succeeded
    note = f"   {failed:,} of {t.requests:,} failed" if failed else f"   all {t.requests:,} answered"
    axes.set_title(look.label + note, fontsize=8.5, fontweight="normal", pad=3)
    if t.target in view.columns:
        _draw_requests(axes, view, view.columns[t.target], span, look)


def _draw_requests(axes: Axes, view: RunView, c: Columns, span: Span, look: Look) -> None:
    at, latency = (c.due_s - span.start_s) / span.unit_s, c.done_s - c.due_s
    many = sum(len(each.due_s) for each in view.columns.values()) > RASTER_FROM
    size = 2.0 if many else 3.0 if len(at) > 300 else 4.5
    answered = one_per_cell(axes, at[c.ok], latency[c.ok]) if many else np.arange(np.count_nonzero(c.ok))
    failed = at[~c.ok]
    if many:
        failed = failed[one_per_cell(axes, failed, np.ones(len(failed)))]
    axes.plot(
        at[c.ok][answered],
        latency[c.ok][answered],
        look.marker,
        color=look.colour,
        markersize=size,
        alpha=1.0 if many else 0.6,  # flat colours compress to half
        markeredgewidth=0,
        rasterized=many,
    )
    top = np.full(len(failed), 0.94)
    axes.plot(failed, top, "x", color=FAILURE, markersize=6, transform=axes.get_xaxis_transform(), rasterized=many)
    middles, medians = running_median(at[c.ok], latency[c.ok])
    if len(middles) > 1:
        axes.plot(middles, medians, color=INK, linewidth=1.3)
