"""Global and regional endpoints: price, latency and availability of targets that differ only in routing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from harness.analysis.stats.interval import Interval
from harness.analysis.summary.summary import TargetSummary
from harness.report.drawing.frame import RunView, label_rows, legend_entry, open_figure, rows_in
from harness.report.drawing.scales import scale_from_zero
from harness.report.drawing.style import GREY
from harness.report.drawing.words import TARGET, is_bounded, short_name
from harness.report.section import Column, Table, number, quantile, tabulate
from harness.report.wording import percent, seconds, usd

TITLE = "What does a regional endpoint cost, and what does it give?"
READ = "The rows of a pair are one model behind a global and a regional endpoint; where bars overlap, it may be noise."
NEAR_ZERO = 0.15
"""Of the axis: a number so far left is written to the right of its point."""
MOST_PAIRS = 2
"""Described in words."""

Estimate = Callable[[TargetSummary], Interval | None]


def draw(view: RunView) -> Figure | None:
    """Panels for cost, TTFT p50, E2E p95 and availability, with a row for each target.

    None for a run without a global and a regional target that differ only in routing.
    """
    targets = _targets(view)
    if not targets:
        return None
    figure = open_figure(
        view,
        title=_title(view),
        question="Same model, api and client; only the routing differs. Where bars overlap, a difference may be noise.",
        body_in=rows_in(len(targets)),
        intervals="order statistics, Wilson; repeats and stalls counted",
        legend=_legend(targets),
    )
    cost, ttft, e2e, answered = figure.subplots(1, 4)
    _draw_cost(cost, view, targets)
    _draw_latency(ttft, view, targets, "TTFT p50", _ttft)
    _draw_latency(e2e, view, targets, "E2E p95", _e2e)
    _draw_answered(answered, view, targets)
    for axes in (cost, ttft, e2e, answered):
        label_rows(axes, view, targets, named=axes is cost)
    return figure


def table(view: RunView) -> Table | None:
    """What the four panels show; None without such a pair."""
    targets = _targets(view)
    if not targets:
        return None
    return tabulate(
        targets,
        [
            TARGET,
            (Column(heading="cost per 1,000 requests", best="low"), lambda t: number(t.cost_per_1000_usd, "usd")),
            (Column(heading="TTFT p50", best="low"), lambda t: number(_ttft(t), "s")),
            (Column(heading="E2E p95", best="low"), lambda t: number(_e2e(t), "s")),
            (Column(heading="answered", best="high"), lambda t: number(t.success_rate, "share")),
        ],
    )


def describe(view: RunView) -> str:
    """Each pair's cost and latencies, the regional target against the global one."""
    by_name = {t.target: t for t in view.targets}
    pairs = [(by_name[pair.regional], by_name[pair.worldwide]) for pair in view.summary.routings]
    more = f" {len(pairs) - MOST_PAIRS} more pairs are in the table." if len(pairs) > MOST_PAIRS else ""
    return " ".join(_describe_pair(*pair) for pair in pairs[:MOST_PAIRS]) + more


def _describe_pair(regional: TargetSummary, worldwide: TargetSummary) -> str:
    both = (regional, worldwide)
    costs = " against ".join(usd(t.cost_per_1000_usd) for t in both)
    first, whole = (" against ".join(seconds(i.value if (i := of(t)) else None) for t in both) for of in (_ttft, _e2e))
    names = f"{short_name(regional.target)} against {short_name(worldwide.target)}"
    return f"{names}: {costs} per 1,000 requests, TTFT p50 {first}, E2E p95 {whole}."


def _targets(view: RunView) -> list[TargetSummary]:
    names = {name for pair in view.summary.routings for name in (pair.worldwide, pair.regional)}
    return [t for t in view.targets if t.target in names]


def _ttft(t: TargetSummary) -> Interval | None:
    return quantile(t.ttft_s, "p50")


def _e2e(t: TargetSummary) -> Interval | None:
    return quantile(t.e2e_s, "p95")


def _legend(targets: Sequence[TargetSummary]) -> list[Line2D]:
    if all(is_bounded(i) for t in targets for i in (_ttft(t), _e2e(t)) if i):
        return []
    label = "hollow, dotted: seen, but the data gives this percentile no upper bound"
    return [legend_entry(label, color=GREY, marker="o", markersize=6, markerfacecolor="white", linestyle=":")]


def _title(view: RunView) -> str:
    premiums = {pair.price_premium for pair in view.summary.routings}
    if len(premiums) != 1 or None in premiums:
        return TITLE
    (premium,) = premiums
    return f"Regional endpoints cost {100 * (premium or 0):g}% more than global ones" if premium else TITLE


def _draw_cost(axes: Axes, view: RunView, targets: Sequence[TargetSummary]) -> None:
    values = [t.cost_per_1000_usd or 0.0 for t in targets]
    for y, (t, value) in enumerate(zip(targets, values, strict=True)):
        axes.barh(y, value, height=0.55, color=view.look(t).colour)
        _note(axes, y, value, usd(t.cost_per_1000_usd))
    scale_from_zero(axes, 1.25 * max(values), "USD per 1,000 requests")
    axes.set_title("Cost")


def _draw_latency(axes: Axes, view: RunView, targets: Sequence[TargetSummary], title: str, estimate: Estimate) -> None:
    found = [estimate(t) for t in targets]
    highest = max((i.high or i.value for i in found if i), default=1.0)
    scale_from_zero(axes, 1.2 * highest, "seconds from due")
    for y, (t, interval) in enumerate(zip(targets, found, strict=True)):
        if interval is None:
            _note(axes, y, 0.0, "none")
            continue
        look = view.look(t)
        low, high = interval.low or 0.0, interval.high
        end = axes.get_xlim()[1] if high is None else high
        axes.plot([low, interval.value], [y, y], color=look.colour, linewidth=2, solid_capstyle="butt")
        axes.plot([interval.value, end], [y, y], color=look.colour, linewidth=2, linestyle=":" if high is None else "-")
        face = look.colour if is_bounded(interval) else "white"
        axes.plot([interval.value], [y], look.marker, color=look.colour, markersize=7, markerfacecolor=face)
        side: Literal["left", "center"] = "left" if interval.value < NEAR_ZERO * axes.get_xlim()[1] else "center"
        _above(axes, y, interval.value, seconds(interval.value), side)
    axes.set_title(title)


def _draw_answered(axes: Axes, view: RunView, targets: Sequence[TargetSummary]) -> None:
    lows = []
    for y, t in enumerate(targets):
        look, rate = view.look(t), t.success_rate
        low, high = (rate.low or 0.0), (1.0 if rate.high is None else rate.high)
        axes.plot([low, high], [y, y], color=look.colour, linewidth=2, solid_capstyle="butt")
        axes.plot([rate.value], [y], look.marker, color=look.colour, markersize=7, clip_on=False)
        _above(axes, y, rate.value, percent(rate.value), "right")
        lows.append(low)
    axes.set_xlim(max(0.0, min(lows) - 0.15 * (1 - min(lows)) - 0.005), 1.0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{100 * rate:g}%"))
    axes.locator_params(axis="x", nbins=3)
    axes.set_xlabel("requests answered")
    axes.set_title("Availability")


def _note(axes: Axes, y: float, x: float, text: str) -> None:
    axes.annotate(text, (x, y), (4, 0), textcoords="offset points", va="center", fontsize=8)


def _above(axes: Axes, y: float, x: float, text: str, side: Literal["left", "center", "right"]) -> None:
    axes.annotate(text, (x, y), (0, 7), textcoords="offset points", ha=side, fontsize=8)
