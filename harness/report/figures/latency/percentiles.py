"""Latency percentiles with their intervals. One without an upper bound is hollow, with an arrow."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.analysis.stats.interval import Interval
from harness.analysis.stats.quantiles import clusters_for_quantile, samples_for_quantile
from harness.analysis.summary.summary import Quantiles, TargetSummary
from harness.characters import counted
from harness.report.drawing.frame import RunView, draw_message, legend_entry, open_figure, target_handle
from harness.report.drawing.scales import scale_x
from harness.report.drawing.style import GREY
from harness.report.drawing.words import TARGET, is_bounded, say, span_of
from harness.report.section import Cell, Column, Table, number, quantile, tabulate
from harness.report.wording import seconds, value_of

TITLE = "How slow is the slowest request in two, ten, twenty, a hundred?"
QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
SPOKEN = ("p50", "p95")
"""Those that the description names."""
METRICS = {"TTFT": "ttft_s", "E2E latency": "e2e_s"}
READ = "Each bar is the interval of a percentile; a hollow one has no upper bound yet, so compare only filled ones."
NO_VALUE = "No request succeeded, so there are no percentiles to show."
ROW_IN = 0.165


def draw(view: RunView) -> Figure:
    """A panel for each metric, with a row for each percentile and target and the estimate at its right."""
    panels = _panels(view)
    if not panels:
        return draw_message(view, title=TITLE, message=NO_VALUE)
    rows = (len(view.targets) + 1) * len(QUANTILES)
    figure = open_figure(
        view,
        title=_title(view),
        question="Latency of successful requests, from due. Bars show the interval of each percentile.",
        body_in=max(2.4, 0.8 + ROW_IN * rows),
        intervals="order statistics; repeats and stalls counted",
        legend=[*(_legend_line(view, t) for t in view.targets), *_arrow_handle(view, list(panels.values()))],
    )
    for axes, (name, field) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        _draw_panel(axes, view, name, field)
    return figure


def table(view: RunView) -> Table | None:
    """Every percentile of each target, with its interval; None without a success."""
    columns = [
        (Column(heading=f"{name} {q}", best="low"), _cell_of(field, q))
        for name, field in _panels(view).items()
        for q in QUANTILES
    ]
    return tabulate(view.targets, [TARGET, *columns]) if columns else None


def describe(view: RunView) -> str:
    """The best and the worst median and p95, of those that the data bounds, and which percentiles it does not."""
    panels = _panels(view)
    if not panels:
        return NO_VALUE
    spans = [
        span_of(f"{name} {q}", _bounded(view, field, q), seconds) for name, field in panels.items() for q in SPOKEN
    ]
    missing = ", ".join(_unbounded(view, list(panels.values())))
    return f"{say(*spans)} {say(f'no upper bound for: {missing}' if missing else '')}".strip()


def _panels(view: RunView) -> dict[str, str]:
    return {name: field for name, field in METRICS.items() if any(getattr(t, field) for t in view.targets)}


def _cell_of(field: str, name: str) -> Callable[[TargetSummary], Cell]:
    return lambda t: number(quantile(getattr(t, field), name), "s")


def _bounded(view: RunView, field: str, name: str) -> list[tuple[str, float]]:
    found = [(t.target, quantile(getattr(t, field), name)) for t in view.targets]
    return [(target, interval.value) for target, interval in found if interval and is_bounded(interval)]


def _unbounded(view: RunView, fields: Sequence[str]) -> list[str]:
    """The percentiles that have no upper bound for some target."""
    return [q for q in QUANTILES if any(i and not is_bounded(i) for i in _intervals(view, fields, q))]


def _title(view: RunView) -> str:
    winner = view.winner("e2e_p95")
    leading = view.leading(winner)
    if winner is None or leading is None:
        return TITLE
    return f"Shortest tail: {leading}" + (f", E2E p95 {value_of(winner)}" if winner.clear else "")


def _legend_line(view: RunView, t: TargetSummary) -> Line2D:
    return target_handle(view, t, f"(n = {counted(t.e2e_s.n if t.e2e_s else 0, 'answer')})", line=False)


def _arrow_handle(view: RunView, fields: Sequence[str]) -> list[Artist]:
    """The legend's entry for arrows, with what it takes to close them; empty where there is no arrow."""
    missing = _unbounded(view, fields)
    if not missing:
        return []
    first, *others = (
        (
            f"{samples_for_quantile(QUANTILES[name], view.summary.level)} of {clusters_for_quantile(QUANTILES[name])}",
            name,
        )
        for name in missing
    )
    needs = ", ".join([f"{first[0]} prompts for {first[1]}", *(f"{n} for {name}" for n, name in others)])
    label = f"hollow, (in brackets): seen, but no upper bound (takes n = {needs})"
    return [legend_entry(label, color=GREY, linestyle=":", marker=">", markersize=5, markerfacecolor="white")]


def _intervals(view: RunView, fields: Sequence[str], name: str) -> list[Interval | None]:
    return [quantile(getattr(t, field), name) for t in view.targets for field in fields]


def _draw_panel(axes: Axes, view: RunView, name: str, field: str) -> None:
    rows = len(view.targets) + 1
    bounds = [v for q in QUANTILES for i in _intervals(view, [field], q) if i for v in (i.value, i.low, i.high) if v]
    scale_x(axes, bounds, f"{name} from due (s)", room=1.12)
    for group, q in enumerate(QUANTILES):
        for i, t in enumerate(view.targets):
            _draw_row(axes, view, t, group * rows + i, getattr(t, field), q)
        if group:
            axes.axhline(group * rows - 1, color=GREY, linewidth=0.5)
    middle = (len(view.targets) - 1) / 2
    axes.set_yticks([group * rows + middle for group in range(len(QUANTILES))], list(QUANTILES), fontsize=10)
    axes.set_ylim(len(QUANTILES) * rows - 1, -1)
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    axes.set_title(name)


def _draw_row(axes: Axes, view: RunView, t: TargetSummary, y: float, quantiles: Quantiles | None, name: str) -> None:
    look, interval = view.look(t), quantile(quantiles, name)
    text = "none" if interval is None else seconds(interval.value)
    if interval is not None and not is_bounded(interval):
        text = f"({text})"
    axes.text(1.025, y, text, transform=axes.get_yaxis_transform(), va="center", fontsize=7.5)
    if interval is None:
        return
    left, right = axes.get_xlim()
    low = left if interval.low is None else interval.low
    axes.plot([low, interval.value], [y, y], color=look.colour, linewidth=2, solid_capstyle="butt")
    if interval.high is None:
        axes.plot([interval.value, right], [y, y], color=look.colour, linewidth=1.2, linestyle=":")
        axes.plot([right], [y], ">", color=look.colour, markerfacecolor="white", markersize=5, clip_on=False)
    else:
        axes.plot([interval.value, interval.high], [y, y], color=look.colour, linewidth=2, solid_capstyle="butt")
    face = look.colour if is_bounded(interval) else "white"
    axes.plot([interval.value], [y], look.marker, color=look.colour, markersize=6, markerfacecolor=face)
