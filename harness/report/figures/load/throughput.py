"""Throughput: requests per second, and output tokens per second in total and per stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from harness.analysis.summary.summary import TargetSummary
from harness.report.drawing.frame import RunView, label_rows, legend_entry, open_figure, rows_in
from harness.report.drawing.scales import scale_from_zero
from harness.report.drawing.style import GREY, INK
from harness.report.drawing.words import TARGET, is_bounded, say, span_of
from harness.report.section import Column, Table, number, quantile, tabulate
from harness.report.wording import significant

READ = "Bars start at zero; a bar that ends before the mark of its offered load delivered less than was asked of it."
Value = Callable[[TargetSummary], float | None]


def draw(view: RunView) -> Figure:
    """Three panels of bars from zero, with a row for each target. A line marks the offered load, a diamond goodput."""
    figure = open_figure(
        view,
        title="How much did each target deliver?",
        question=_question(view),
        body_in=rows_in(len(view.targets)),
        intervals="per stream: order statistics; repeats and stalls counted",
        legend=_legend(view.targets),
    )
    left, middle, right = figure.subplots(1, 3)
    _draw_bars(left, view, lambda t: t.achieved_per_s, _achieved_or_offered)
    _mark(left, view, lambda t: t.offered_per_s, marker="|", size=18)
    _mark(left, view, lambda t: t.goodput_per_s, marker="D", size=5)
    scale_from_zero(
        left, _reach(view, *(lambda t: t.achieved_per_s, lambda t: t.offered_per_s)), "successful requests / s"
    )
    _draw_bars(middle, view, lambda t: t.output_tokens_per_s)
    scale_from_zero(middle, _reach(view, lambda t: t.output_tokens_per_s), "output tokens / s")
    _draw_bars(right, view, _stream_median, _stream_high)
    _draw_intervals(right, view)
    scale_from_zero(right, _reach(view, _stream_high), "output tokens / s in one stream")
    for axes, title in zip((left, middle, right), ("Achieved load", "All streams", "Per stream, median"), strict=True):
        axes.set_title(title)
        label_rows(axes, view, named=axes is left)
    return figure


def table(view: RunView) -> Table | None:
    """What the three panels show."""
    return tabulate(
        view.targets,
        [
            TARGET,
            (Column(heading="offered load"), lambda t: number(t.offered_per_s, "req/s")),
            (Column(heading="achieved load", best="high"), lambda t: number(t.achieved_per_s, "req/s")),
            (Column(heading="goodput", best="high"), lambda t: number(t.goodput_per_s, "req/s")),
            (Column(heading="all streams", best="high"), lambda t: number(t.output_tokens_per_s, "tokens/s")),
            (
                Column(heading="one stream, median", best="high"),
                lambda t: number(quantile(t.stream_tokens_per_s, "p50"), "tokens/s"),
            ),
        ],
    )


def describe(view: RunView) -> str:
    """The slowest and the fastest target in each panel."""
    panels: list[tuple[str, Value, str]] = [
        ("achieved load", lambda t: t.achieved_per_s, "req/s"),
        ("output of all streams", lambda t: t.output_tokens_per_s, "tokens/s"),
        ("of one stream", _stream_median, "tokens/s"),
    ]
    return say(
        *(
            span_of(what, [(t.target, value(t)) for t in view.targets], lambda v, unit=unit: f"{significant(v)} {unit}")  # type: ignore[misc]
            for what, value, unit in panels
        )
    )


def _question(view: RunView) -> str:
    if view.summary.arrival == "closed":
        return "Closed arrivals: a slot waits for its answer, so the achieved load depends on latency, not on capacity."
    return (
        "Open arrivals, measured from first to last answer. If a bar ends before the offered load, requests failed, or "
        "the target or its quota could not keep up."
    )


def _legend(targets: Sequence[TargetSummary]) -> list[Artist]:
    handles: list[Artist] = []
    if any(t.offered_per_s is not None for t in targets):
        handles.append(legend_entry("offered load", color=INK, marker="|", markersize=12))
    if any(t.goodput_per_s is not None for t in targets):
        label = "goodput: requests that met every SLO"
        handles.append(legend_entry(label, color=GREY, marker="D", markersize=5, markerfacecolor="white"))
    if any(t.stream_tokens_per_s and not is_bounded(t.stream_tokens_per_s.p50) for t in targets):
        label = "hollow: a median without an upper bound, of too few streams"
        handles.append(Patch(facecolor="white", edgecolor=GREY, linewidth=1.2, label=label))
    return handles


def _stream_median(t: TargetSummary) -> float | None:
    return t.stream_tokens_per_s.p50.value if t.stream_tokens_per_s else None


def _stream_high(t: TargetSummary) -> float | None:
    """The upper bound of the median, or the median if it has none."""
    if t.stream_tokens_per_s is None:
        return None
    p50 = t.stream_tokens_per_s.p50
    return p50.value if p50.high is None else p50.high


def _achieved_or_offered(t: TargetSummary) -> float | None:
    """Where the achieved load's label starts: after the offered load's line if that is close."""
    achieved, offered = t.achieved_per_s or 0.0, t.offered_per_s or 0.0
    return offered if achieved < offered < 1.25 * achieved else achieved


def _reach(view: RunView, *values: Value) -> float:
    return max((value(t) or 0.0 for t in view.targets for value in values), default=0.0)


def _draw_bars(axes: Axes, view: RunView, value: Value, label_at: Value | None = None) -> None:
    """A bar for each target, labelled at its end, or at `label_at` if something else is drawn beyond it."""
    for y, t in enumerate(view.targets):
        length = value(t)
        hollow = value is _stream_median and t.stream_tokens_per_s and not is_bounded(t.stream_tokens_per_s.p50)
        look = view.look(t)
        face = "white" if hollow else look.colour
        axes.barh(y, length or 0.0, height=0.62, color=face, edgecolor=look.colour if hollow else "none", linewidth=1.2)
        end = (label_at or value)(t) or 0.0
        text = "none" if length is None else significant(length)
        axes.annotate(text, (end, y), (8, 0), textcoords="offset points", va="center", fontsize=8.5)


def _draw_intervals(axes: Axes, view: RunView) -> None:
    for y, t in enumerate(view.targets):
        if t.stream_tokens_per_s is None:
            continue
        p50 = t.stream_tokens_per_s.p50
        if p50.low is not None and p50.high is not None:
            axes.plot([p50.low, p50.high], [y, y], color=INK, linewidth=1.3, marker="|", markersize=7)


def _mark(axes: Axes, view: RunView, value: Value, *, marker: str, size: float) -> None:
    for y, t in enumerate(view.targets):
        at = value(t)
        if at is not None:
            colour = INK if marker == "|" else GREY
            axes.plot([at], [y], marker, color=colour, markersize=size, markeredgewidth=1.6, markerfacecolor="white")
