"""Errors over time: when attempts failed or were throttled, and when they were retried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from harness.analysis.columns import AttemptsOverTime, Codes
from harness.analysis.summary.summary import TargetSummary
from harness.characters import counted, printable
from harness.report.drawing.frame import RunView, legend_entry, open_figure
from harness.report.drawing.style import GREY, INK, drawable
from harness.report.figures.latency.timeline import MINUTES_FROM_S
from harness.report.figures.load.errors import FILLS, REST, shown_kinds
from harness.report.section import Cell, Column, Name, Table
from harness.report.wording import significant

READ = "Failures in one place are an outage or a full quota; failures spread evenly are the endpoint's own rate."
PANEL_IN = 0.95


def draw(view: RunView) -> Figure | None:
    """A panel for each target with a failed attempt: failed attempts by kind in each bin of time, and retries.

    None: no attempt failed.
    """
    found = view.once(_over_time)
    if not found:
        return None
    shown = [t for t in view.targets if t.target in found]
    kinds = shown_kinds(shown)
    figure = open_figure(
        view,
        title=_title(view, found),
        question=_question(view, found),
        body_in=0.6 + PANEL_IN * max(2, len(shown)),
        legend=_legend(kinds, found),
    )
    panels = figure.subplots(len(shown), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    unit_s, unit = _unit(next(iter(found.values())))
    for axes, t in zip(panels, shown, strict=True):
        _draw_panel(axes, view, t, found[t.target], kinds, unit_s)
    panels[-1].set_xlabel(f"sent, {unit} since the first attempt")
    return figure


def table(view: RunView) -> Table | None:
    """A row for each target and bin with a failed or retried attempt."""
    found = view.once(_over_time)
    if not found:
        return None
    headings = ("from (s)", "to (s)", "attempts", "retries")
    kinds = shown_kinds([t for t in view.targets if t.target in found])
    columns = [
        Column(heading="target", is_text=True),
        *(Column(heading=heading) for heading in (*headings, *map(printable, kinds))),
    ]
    rows: list[list[Cell]] = []
    for t in view.targets:
        each = found.get(t.target)
        if each is None:
            continue
        counts = [_counts(each, kind, kinds) for kind in kinds]
        for at in np.flatnonzero(sum(counts, each.retries)).tolist():
            ends = (significant(at * each.width_s), significant((at + 1) * each.width_s))
            numbers = (int(each.attempts[at]), int(each.retries[at]), *(int(count[at]) for count in counts))
            rows.append([Name(t.target), *ends, *numbers])
    return Table(columns=columns, rows=rows)


def describe(view: RunView) -> str:
    """What there is to see, in a sentence or two."""
    found = view.once(_over_time)
    return (
        f"{_title(view, found)}. Failed attempts by kind over the course of the run." if found else "No attempt failed."
    )


def _over_time(view: RunView) -> Mapping[str, AttemptsOverTime]:
    """Of the targets with a failed attempt."""
    counts = {} if view.run is None else view.run.data.counts
    kept = {t.target: counts[t.target].over_time for t in view.targets if t.target in counts and t.error_kinds}
    return {name: each for name, each in kept.items() if each is not None}


def _counts(each: AttemptsOverTime, kind: str, kinds: Sequence[str]) -> Codes:
    none = np.zeros(len(each.attempts), dtype=np.int64)
    if kind == REST:
        return sum((count for other, count in each.errors.items() if other not in kinds), none)
    return each.errors.get(kind, none)


def _failed(each: AttemptsOverTime) -> Codes:
    return sum(each.errors.values(), np.zeros(len(each.attempts), dtype=np.int64))


def _title(view: RunView, found: Mapping[str, AttemptsOverTime]) -> str:
    by_bin = sum((_failed(each) for each in found.values()), np.zeros(1, dtype=np.int64))
    failed, width_s = int(by_bin.sum()), next(iter(found.values())).width_s
    fewest = int(np.searchsorted(np.sort(by_bin)[::-1].cumsum(), failed / 2)) + 1
    half = f"half of them in {significant(fewest * width_s)} of {significant(len(by_bin) * width_s)} s"
    return f"{counted(failed, 'attempt')} failed, {half}" if failed > 1 else "1 attempt failed"


def _question(view: RunView, found: Mapping[str, AttemptsOverTime]) -> str:
    width_s = next(iter(found.values())).width_s
    text = f"Failed attempts, retried ones included, by when they were sent: in bins of {significant(width_s)} s."
    clean = len(view.targets) - len(found)
    return (
        f"{text} {counted(clean, 'target')} without a failed attempt {'is' if clean == 1 else 'are'} not shown."
        if clean
        else text
    )


def _unit(each: AttemptsOverTime) -> tuple[float, str]:
    return (60.0, "minutes") if each.width_s * len(each.attempts) > MINUTES_FROM_S else (1.0, "seconds")


def _legend(kinds: Sequence[str], found: Mapping[str, AttemptsOverTime]) -> list[Artist]:
    handles: list[Artist] = [
        Patch(facecolor=FILLS[at][0], hatch=FILLS[at][1], edgecolor="white", label=drawable(printable(kind)))
        for at, kind in enumerate(kinds)
    ]
    if any(each.retries.any() for each in found.values()):
        handles.append(legend_entry("retries sent", color=INK, linestyle="-", linewidth=1.2))
    return handles


def _draw_panel(
    axes: Axes, view: RunView, t: TargetSummary, each: AttemptsOverTime, kinds: Sequence[str], unit_s: float
) -> None:
    edges = np.arange(len(each.attempts) + 1) * each.width_s / unit_s
    bottom = np.zeros(len(each.attempts))
    for at, kind in enumerate(kinds):
        count = _counts(each, kind, kinds)
        colour, hatch = FILLS[at]
        axes.stairs(
            bottom + count,
            edges,
            baseline=bottom,
            fill=True,
            facecolor=colour,
            hatch=hatch,
            edgecolor="white",
            linewidth=0,
        )
        bottom = bottom + count
    if each.retries.any():
        axes.stairs(each.retries, edges, color=INK, linewidth=1.2)
    failed = int(bottom.sum())
    note = (
        f"   {failed:,} of {counted(int(each.attempts.sum()), 'attempt')} failed, {int(each.retries.sum()):,} retries"
    )
    axes.set_title(view.look(t).label + note, fontsize=8.5, fontweight="normal", pad=3)
    axes.set_xlim(0, edges[-1])
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.set_ylim(0, max(1.0, axes.get_ylim()[1], 1.15 * float(max(bottom.max(), each.retries.max()))))
    axes.set_ylabel("attempts", fontsize=8, color=GREY)
