"""Latency, goodput and errors by offered load, apart by step of the run, with each target's knee."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from harness.analysis.breakdown.levels import GOOD_SHARE, Level, LevelResult, knee_of, level_results, load_levels
from harness.analysis.stats.interval import Interval
from harness.analysis.summary.summary import Quantiles, TargetSummary
from harness.report.drawing.frame import RunView, legend_entry, open_figure, target_handle
from harness.report.drawing.scales import scale_y, write_tick
from harness.report.drawing.style import GREY
from harness.report.section import Cell, Column, Name, Number, Table, number, quantile
from harness.report.wording import significant

READ = "The knee is where goodput leaves the line of the offered load, and latency and failures begin to rise."
PANEL_IN = 1.75
MOST_TICKS = 14
MOST_TARGETS = 8
SPREAD = 0.32
"""How far apart, in levels, the targets of one level are drawn."""
Results = dict[str, list[LevelResult]]


def draw(view: RunView) -> Figure | None:
    """Panels that share their x axis, the levels in order of time. None: the load has one level."""
    every = view.once(_results)
    if not every:
        return None
    results = _lowest(every)
    latencies = [
        (label, field)
        for label, field in (("TTFT", "ttft_s"), ("E2E latency", "e2e_s"))
        if any(getattr(level, field) for levels in results.values() for level in levels)
    ]
    figure = open_figure(
        view,
        title=_title(view, every),
        question=_question(view, every),
        body_in=0.5 + PANEL_IN * (len(latencies) + 2),
        intervals="order statistics, Wilson; of latencies, repeats and stalls counted",
        legend=_legend(view, results),
    )
    panels = figure.subplots(len(latencies) + 2, 1, sharex=True, squeeze=False)[:, 0]
    for axes, (label, field) in zip(panels, latencies, strict=False):
        _draw_latency(axes, view, results, label, field)
    _draw_goodput(panels[-2], view, results)
    _draw_failures(panels[-1], view, results)
    _label_levels(panels[-1], view)
    for axes in panels:
        _mark_knees(axes, view, results)
    return figure


def table(view: RunView) -> Table | None:
    """A row for each target and level, with the values drawn."""
    results = view.once(_results)
    if not results:
        return None
    headings = (
        "planned/s",
        "offered/s",
        "requests",
        "TTFT p50",
        "TTFT p95",
        "E2E p50",
        "E2E p95",
        "achieved/s",
        "goodput/s",
        "failed",
    )
    rows: list[list[Cell]] = []
    for t in view.targets:
        for each in results.get(t.target, []):
            tails = [(each.ttft_s, "p50"), (each.ttft_s, "p95"), (each.e2e_s, "p50"), (each.e2e_s, "p95")]
            latencies = [number(quantile(quantiles, which), "s") for quantiles, which in tails]
            rates = [number(value) for value in (each.achieved_per_s, each.goodput_per_s)]
            failed = number(each.failed, "share")
            rows.append(
                [
                    Name(t.target),
                    Number(each.level.per_s),
                    number(each.offered_per_s),
                    each.requests,
                    *latencies,
                    *rates,
                    failed,
                ]
            )
    columns = [Column(heading="target", is_text=True), *(Column(heading=heading) for heading in headings)]
    return Table(columns=columns, rows=rows)


def describe(view: RunView) -> str:
    """What there is to see, in a sentence or two."""
    results = view.once(_results)
    if not results:
        return "The load has one level."
    return f"{_title(view, results)}. Latency, goodput and failures at each of {len(_levels(view))} levels of load."


def _results(view: RunView) -> Results:
    found = {} if view.run is None else level_results(view.run)
    return {t.target: found[t.target] for t in view.targets if t.target in found}


def _drawn(view: RunView, results: Results) -> list[TargetSummary]:
    return [t for t in view.targets if t.target in results]


def _lowest(results: Results) -> Results:
    """Of many targets those whose knee is lowest, and of these the ones with the smallest share of good requests."""
    if len(results) <= MOST_TARGETS:
        return results
    lowest = sorted(results, key=lambda name: (knee_of(results[name]) or 0.0, results[name][-1].good_share or 0.0))
    return {name: every for name, every in results.items() if name in lowest[:MOST_TARGETS]}


def _levels(view: RunView) -> list[Level]:
    return [] if view.run is None else load_levels(view.run.suite.load)


def _has_slo(results: Results) -> bool:
    return any(each.met is not None for every in results.values() for each in every)


def _title(view: RunView, results: Results) -> str:
    if not _has_slo(results):
        return "How do latency and errors change with the load?"
    highest = max(level.per_s for level in _levels(view))
    knees = {name: knee_of(every) for name, every in results.items()}
    kept = [name for name, knee in knees.items() if knee == highest]
    if len(kept) == len(knees):
        return f"Every target meets its SLOs up to {significant(highest)} requests/s"
    lowest = min(knees, key=lambda name: knees[name] or 0.0)
    limit = knees[lowest]
    missing = sum(knee is None for knee in knees.values())
    if missing > 1:
        return f"{missing} of {len(knees)} targets miss their SLOs even at the lowest load"
    if limit is None:
        return f"{view.looks[lowest].label} misses its SLOs even at the lowest load"
    return f"{view.looks[lowest].label} meets its SLOs only up to {significant(limit)} requests/s"


def _question(view: RunView, results: Results) -> str:
    steps = "step" if view.summary.arrival == "steps" else "part of the ramp"
    text = f"Each {steps}, in order of time, by its planned load for each target. Latency of successes, from due."
    if len(results) > MOST_TARGETS:
        text += f" Drawn are the {MOST_TARGETS} targets with the lowest knee; the table has all {len(results)}."
    if not _has_slo(results):
        return f"{text} Without an SLO there is no knee."
    return (
        f"{text} Knee: the highest load until which {100 * GOOD_SHARE:g}% of the requests of every level meet the SLOs."
    )


def _legend(view: RunView, results: Results) -> list[Artist]:
    handles: list[Artist] = [target_handle(view, t, _knee_note(results[t.target])) for t in _drawn(view, results)]
    if not any(each.e2e_s for every in results.values() for each in every):
        return handles
    handles.append(legend_entry("p50", color=GREY, marker="o", markersize=3, linestyle="-", linewidth=0.9))
    handles.append(legend_entry("p95, with its interval", color=GREY, marker="o", markersize=6))
    if any(
        _is_open(quantile(q, "p95")) for every in results.values() for each in every for q in (each.ttft_s, each.e2e_s)
    ):
        label = "p95 without an upper bound"
        handles.append(legend_entry(label, color=GREY, marker="o", markersize=6, markerfacecolor="white"))
    return handles


def _knee_note(results: Sequence[LevelResult]) -> str:
    if results[0].met is None:
        return ""
    knee = knee_of(results)
    return "(no level met)" if knee is None else f"(knee {significant(knee)}/s)"


def _is_open(interval: Interval | None) -> bool:
    return interval is not None and interval.high is None


def _places(view: RunView, t: TargetSummary, results: Results, levels: Sequence[LevelResult]) -> list[float]:
    """Where a target's levels lie on the x axis: beside each other's."""
    at, count = list(results).index(t.target), len(results)
    shift = SPREAD * ((at + 0.5) / count - 0.5) if count > 1 else 0.0
    order = [level.from_s for level in _levels(view)]
    return [order.index(each.level.from_s) + shift for each in levels]


def _draw_latency(axes: Axes, view: RunView, results: Results, label: str, field: str) -> None:
    drawn = []
    for t in _drawn(view, results):
        there = [each for each in results[t.target] if getattr(each, field)]
        if not there:
            continue
        look, x = view.look(t), _places(view, t, results, there)
        found: list[Quantiles] = [getattr(each, field) for each in there]
        middle, tail = [q.p50.value for q in found], [q.p95 for q in found]
        axes.plot(
            x, middle, look.marker, color=look.colour, linestyle=look.line, linewidth=0.9, markersize=3, alpha=0.7
        )
        axes.plot(x, [each.value for each in tail], color=look.colour, linestyle=look.line)
        for place, each in zip(x, tail, strict=True):
            _draw_tail(axes, place, each, look.colour, look.marker)
        drawn += [*middle, *(v for each in tail for v in (each.value, each.low, each.high) if v is not None)]
    is_log = scale_y(axes, drawn)
    axes.set_ylabel(f"{label}\n(s{', log' if is_log else ''})")


def _draw_tail(axes: Axes, x: float, tail: Interval, colour: str, marker: str) -> None:
    """A p95: filled with its interval, or hollow without an upper bound."""
    if tail.low is not None and tail.high is not None:
        axes.plot([x, x], [tail.low, tail.high], color=colour, linewidth=1.2)
    face = "white" if tail.high is None else colour
    axes.plot([x], [tail.value], marker, color=colour, markerfacecolor=face, markersize=6)


def _draw_goodput(axes: Axes, view: RunView, results: Results) -> None:
    has_slo, offered = _has_slo(results), _offered(view, results)
    _draw_lines(axes, view, results, lambda each: each.goodput_per_s if has_slo else each.achieved_per_s)
    edges = np.arange(len(offered) + 1) - 0.5
    axes.stairs(offered, edges, baseline=None, color=GREY, linewidth=1, linestyle="--")
    axes.annotate(
        "offered", (edges[-1], offered[-1]), (4, 0), textcoords="offset points", va="center",
        fontsize=8, color=GREY, annotation_clip=False,
    )  # fmt: skip
    axes.set_ylim(0, 1.15 * max(axes.get_ylim()[1] / 1.05, *offered))
    axes.set_ylabel("goodput\n(requests/s)" if has_slo else "achieved\n(requests/s)")


def _offered(view: RunView, results: Results) -> list[float]:
    """What each level offered, as it came; the planned rate where it had too few requests to tell."""
    came: dict[float, list[float]] = {}
    for every in results.values():
        for each in every:
            came.setdefault(each.level.from_s, []).append(each.offered_per_s or each.level.per_s)
    return [float(np.mean(came.get(level.from_s, [level.per_s]))) for level in _levels(view)]


def _draw_failures(axes: Axes, view: RunView, results: Results) -> None:
    _draw_lines(axes, view, results, lambda each: each.failed.value)
    for t in _drawn(view, results):
        every = results[t.target]
        for x, each in zip(_places(view, t, results, every), every, strict=True):
            low, high = each.failed.low or 0.0, each.failed.high
            if high is not None:
                axes.plot([x, x], [low, high], color=view.look(t).colour, linewidth=1.2)
    axes.set_ylim(0, max(0.05, 1.05 * axes.get_ylim()[1]))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_ylabel("requests that\nfailed")


def _draw_lines(axes: Axes, view: RunView, results: Results, value: Callable[[LevelResult], float | None]) -> None:
    for t in _drawn(view, results):
        points = [(each, height) for each in results[t.target] if (height := value(each)) is not None]
        if points:
            look, x = view.look(t), _places(view, t, results, [each for each, _ in points])
            axes.plot(x, [height for _, height in points], look.marker, color=look.colour, linestyle=look.line)


def _mark_knees(axes: Axes, view: RunView, results: Results) -> None:
    for t in _drawn(view, results):
        every = results[t.target]
        knee = knee_of(every) if every[0].met is not None else None
        if knee is not None:
            last = [
                x for x, each in zip(_places(view, t, results, every), every, strict=True) if each.level.per_s == knee
            ][-1]
            axes.axvline(last, color=view.look(t).colour, linestyle=":", linewidth=1, zorder=1)


def _label_levels(axes: Axes, view: RunView) -> None:
    levels = _levels(view)
    step = -(-len(levels) // MOST_TICKS)
    places = range(0, len(levels), step)
    axes.set_xticks(list(places), [write_tick(levels[at].per_s) for at in places])
    axes.set_xlim(-0.6, len(levels) - 0.4)
    axes.set_xlabel("planned load (requests/s for each target), in order of time")
