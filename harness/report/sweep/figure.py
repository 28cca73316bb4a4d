"""The figure of a sweep: latency, goodput and errors of each target against the offered load, with its knee."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.analysis.summary.summary import Quantiles, TargetSummary
from harness.analysis.sweep import SweepReport, SweepStep, TargetSweep
from harness.report.drawing.frame import RunView, legend_entry, open_figure, target_handle
from harness.report.drawing.scales import scale_x, scale_y
from harness.report.drawing.style import GREY
from harness.report.drawing.words import is_bounded
from harness.report.section import Column, Name, Table, number, quantile, tabulate
from harness.report.sweep.sections import headline, level_of, objective_of, sentences

READ = "The knee, a dotted vertical line, is the highest load that still met the objective; hollow points missed it."
LOWEST_TOP = 5.0
"""An axis from zero ends here or higher, so that a share of 0.1% does not fill the figure."""
MOST_SENTENCES = 3
"""Of the description, one a target."""

Value = Callable[[SweepStep], float | None]


def draw(view: RunView, report: SweepReport) -> Figure:
    """Panels that share the x axis: the latency of each SLO, goodput, throttled and failed requests."""
    slo = report.objective.slo
    latencies = [
        (name, field, limit)
        for name, field, limit in (("TTFT", "ttft_s", slo.ttft_s), ("E2E latency", "e2e_s", slo.e2e_s))
        if limit is not None and any(getattr(step, field) for each in report.targets for step in each.steps)
    ]
    figure = open_figure(
        view,
        title=headline(report),
        question=f"Objective of every step: {objective_of(report)}. Dotted vertical lines mark each target's knee.",
        body_in=1.9 * (len(latencies) + 2),
        legend=[
            *(target_handle(view, t, _knee(report, t)) for t in view.targets),
            legend_entry("p50", color=GREY, marker="o", markersize=3),
            legend_entry("the level missed the objective", color=GREY, marker="o", markerfacecolor="white"),
            *_loose_handle(report, [field for _, field, _ in latencies]),
        ],
    )
    panels = figure.subplots(len(latencies) + 2, 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, field, limit_s) in zip(panels, latencies, strict=False):
        _draw_latency(axes, view, report, name, field, limit_s)
    _draw_panel(panels[-2], view, report, lambda step: step.goodput_per_s, "goodput (req/s)")
    _draw_panel(panels[-1], view, report, _bad_share, "throttled or\nfailed (%)")
    levels = [step.outcome.level for each in report.targets for step in each.steps]
    scale_x(panels[-1], levels, "offered load (req/s)" if report.by == "rate" else "concurrent streams")
    return figure


def table(report: SweepReport) -> Table:
    """Every step of every target."""
    steps = [(each, step) for each in report.targets for step in each.steps]
    return tabulate(
        steps,
        [
            (Column(heading="target"), lambda row: Name(row[0].target)),
            (Column(heading="offered"), lambda row: level_of(report, row[1].outcome.level)),
            (Column(heading="met"), lambda row: "yes" if row[1].outcome.met else "no"),
            (Column(heading="TTFT p50"), lambda row: number(quantile(row[1].ttft_s, "p50"), "s")),
            (Column(heading=f"TTFT {_tail(report)}"), lambda row: number(quantile(row[1].ttft_s, _tail(report)), "s")),
            (Column(heading="E2E p50"), lambda row: number(quantile(row[1].e2e_s, "p50"), "s")),
            (Column(heading=f"E2E {_tail(report)}"), lambda row: number(quantile(row[1].e2e_s, _tail(report)), "s")),
            (Column(heading="goodput"), lambda row: number(row[1].goodput_per_s, "req/s")),
            (Column(heading="throttled or failed"), lambda row: number(_bad_share(row[1]), "%")),
        ],
    )


def describe(report: SweepReport) -> str:
    """The knee of each target."""
    return " ".join(sentences(report)[:MOST_SENTENCES])


def _tail(report: SweepReport) -> str:
    return "p99" if report.objective.share > 0.95 else "p95"


def _knee(report: SweepReport, t: TargetSummary) -> str:
    each = next(each for each in report.targets if each.target == t.target)
    return "(no level met)" if each.met is None else f"(knee {each.met:g})"


def _draw_latency(axes: Axes, view: RunView, report: SweepReport, name: str, field: str, limit_s: float) -> None:
    percentile = _tail(report)

    def take(which: str) -> Value:
        def value(step: SweepStep) -> float | None:
            quantiles: Quantiles | None = getattr(step, field)
            return None if quantiles is None else float(getattr(quantiles, which).value)

        return value

    tail = _draw_lines(axes, view, report, take(percentile))
    middle = _draw_lines(axes, view, report, take("p50"), faint=True)
    axes.axhline(limit_s, color=GREY, linestyle="--", linewidth=1)
    axes.annotate(
        f"SLO {limit_s:g} s", (1, limit_s), xycoords=axes.get_yaxis_transform(), xytext=(4, 0), va="center",
        textcoords="offset points", fontsize=8, color=GREY, annotation_clip=False,
    )  # fmt: skip
    logarithmic = scale_y(axes, [*tail, *middle, limit_s])
    _draw_unbounded(axes, view, report, field)
    axes.set_ylabel(f"{name} {percentile}\n(s{', log' if logarithmic else ''})")
    _mark_knees(axes, view, report)


def _draw_unbounded(axes: Axes, view: RunView, report: SweepReport, field: str) -> None:
    """A dotted line upwards from each tail percentile that its step's data does not bound from above."""
    top = axes.get_ylim()[1]
    for t in view.targets:
        for step in _steps_of(report, t):
            interval = quantile(getattr(step, field), _tail(report))
            if interval is not None and not is_bounded(interval):
                level = step.outcome.level
                axes.plot([level, level], [interval.value, top], color=view.look(t).colour, linestyle=":", linewidth=1)


def _loose_handle(report: SweepReport, fields: Sequence[str]) -> list[Line2D]:
    """The legend's entry for tail percentiles without an upper bound; empty if there are none."""
    found = (
        quantile(getattr(step, field), _tail(report))
        for each in report.targets
        for step in each.steps
        for field in fields
    )
    if all(is_bounded(interval) for interval in found if interval is not None):
        return []
    label = f"dotted upwards: the step's data gives its {_tail(report)} no upper bound"
    return [legend_entry(label, color=GREY, linestyle=":", linewidth=1)]


def _draw_panel(axes: Axes, view: RunView, report: SweepReport, value: Value, label: str) -> None:
    axes.set_ylim(0, 1.15 * max([*_draw_lines(axes, view, report, value), LOWEST_TOP]))
    axes.set_ylabel(label)
    _mark_knees(axes, view, report)


def _draw_lines(axes: Axes, view: RunView, report: SweepReport, value: Value, *, faint: bool = False) -> list[float]:
    """Draw a line for each target, with hollow markers where a level missed. Returns the values drawn."""
    drawn: list[float] = []
    for t in view.targets:
        look, steps = view.look(t), _steps_of(report, t)
        points = [(step, height) for step in steps if (height := value(step)) is not None]
        levels = [step.outcome.level for step, _ in points]
        heights = [height for _, height in points]
        width, alpha = (0.9, 0.55) if faint else (1.8, 1.0)
        axes.plot(levels, heights, color=look.colour, linestyle=look.line, linewidth=width, alpha=alpha)
        for (step, height), level in zip(points, levels, strict=True):
            face = look.colour if step.outcome.met else "white"
            size = 3 if faint else 6
            axes.plot(level, height, look.marker, color=look.colour, markerfacecolor=face, markersize=size, alpha=alpha)
        drawn += heights
    return drawn


def _mark_knees(axes: Axes, view: RunView, report: SweepReport) -> None:
    for t in view.targets:
        each: TargetSweep = next(each for each in report.targets if each.target == t.target)
        if each.met is not None:
            axes.axvline(each.met, color=view.look(t).colour, linestyle=":", linewidth=1)


def _steps_of(report: SweepReport, t: TargetSummary) -> Sequence[SweepStep]:
    return next(each.steps for each in report.targets if each.target == t.target)


def _bad_share(step: SweepStep) -> float | None:
    outcome = step.outcome
    return 100 * (outcome.throttled + outcome.failed) / outcome.requests if outcome.requests else None
