"""Quality against cost: which targets pass more, what that costs, and which are beaten on both."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from harness.analysis.stats.interval import Interval
from harness.analysis.summary.summary import TargetSummary
from harness.report.drawing.frame import RunView, draw_message, legend_entry, open_figure, target_handle
from harness.report.drawing.scales import scale_x
from harness.report.drawing.style import GREY
from harness.report.drawing.words import TARGET, list_few, say, short_name, span_of
from harness.report.run.sections import is_graded
from harness.report.section import Column, Table, number, tabulate
from harness.report.wording import best_of, percent, usd, value_of

TITLE = "Which target passes the most for its price?"
READ = "Up and to the left is better; the dashed line joins the targets that nothing cheaper beats."
NO_POINT = "No target has both a pass rate and a known cost."
Point = tuple[TargetSummary, float, Interval]


def draw(view: RunView) -> Figure | None:
    """A point for each target, with its Wilson interval. A dashed line joins the frontier.

    None for a load test, which has no grades.
    """
    if not is_graded(view.summary):
        return None
    points = _points(view)
    if not points:
        return draw_message(view, title=TITLE, message=NO_POINT)
    figure = open_figure(
        view,
        title=_title(view),
        question=_question(view, points),
        body_in=4.1,
        intervals="Wilson, clustered by prompt",
        legend=_legend(view, points),
    )
    axes = figure.subplots()
    _draw_points(axes, view, points)
    scale_x(axes, [cost for _, cost, _ in points], "cost per 1,000 requests (USD)", room=1.1)
    _scale_rates(axes, [rate for _, _, rate in points])
    return figure


def table(view: RunView) -> Table | None:
    """Pass rate and cost of each target; None for a load test."""
    if not is_graded(view.summary):
        return None
    return tabulate(
        view.targets,
        [
            TARGET,
            (Column(heading="pass rate", best="high"), lambda t: number(t.pass_rate, "share")),
            (Column(heading="cost per 1,000 requests", best="low"), lambda t: number(t.cost_per_1000_usd, "usd")),
        ],
    )


def describe(view: RunView) -> str:
    """The ends of both axes, and who is on the frontier."""
    points = _points(view)
    if not points:
        return NO_POINT
    best = [short_name(t.target) for t, *_ in frontier(points)]
    rates = span_of("pass rate", [(t.target, rate.value) for t, _, rate in points], percent)
    costs = span_of("cost per 1,000 requests", [(t.target, cost) for t, cost, _ in points], usd)
    return f"{say(rates, costs)} Nothing cheaper passes more than {list_few(best)}."


def frontier(points: Sequence[Point]) -> list[Point]:
    """The points that pass more than every cheaper one, the cheapest first."""
    best: list[Point] = []
    for point in sorted(points, key=lambda p: (p[1], -p[2].value)):
        if not best or point[2].value > best[-1][2].value:
            best.append(point)
    return best


def _points(view: RunView) -> list[Point]:
    return [
        (t, t.cost_per_1000_usd, t.pass_rate) for t in view.targets if t.cost_per_1000_usd is not None and t.pass_rate
    ]


def _title(view: RunView) -> str:
    best = view.winner("pass_rate")
    if best is None:
        return TITLE
    if best.clear:
        return f"Most answers right: {view.looks[best.target].label}, {value_of(best)}"
    leading, cheapest = view.leading(best), view.leading(view.winner("cost_per_request"))
    if leading is not None:
        return f"{leading} pass most"
    return f"Quality too close to call; cheapest: {cheapest}" if cheapest else "Quality too close to call"


def _question(view: RunView, points: Sequence[Point]) -> str:
    text = "Up and to the left is better. Where bars overlap vertically, the difference may be noise."
    best = view.winner("pass_rate")
    if best is not None and best.rivals > 1 and view.leading(best) is not None:
        text = f"{text} {best_of([best])}"
    missing = len(view.targets) - len(points)
    return f"{text} {missing} of {len(view.targets)} targets are not shown: no price or no score." if missing else text


def _legend(view: RunView, points: Sequence[Point]) -> list[Line2D]:
    handles = [
        target_handle(view, t, f"({percent(rate.value)} at {usd(cost)})", line=False) for t, cost, rate in points
    ]
    if len(frontier(points)) > 1:
        label = "frontier: nothing cheaper passes more"
        handles.append(legend_entry(label, color=GREY, linestyle=(0, (4, 3)), linewidth=1))
    return handles


def _draw_points(axes: Axes, view: RunView, points: Sequence[Point]) -> None:
    best = frontier(points)
    axes.plot(
        [p[1] for p in best], [p[2].value for p in best], color=GREY, linestyle=(0, (4, 3)), linewidth=1, zorder=1
    )
    for t, cost, rate in points:
        look = view.look(t)
        low = rate.value if rate.low is None else rate.low
        high = rate.value if rate.high is None else rate.high
        axes.plot([cost, cost], [low, high], color=look.colour, linewidth=1.6, marker="_", markersize=7)
        axes.plot([cost], [rate.value], look.marker, color=look.colour, markersize=9, markeredgecolor="white")


def _scale_rates(axes: Axes, rates: Sequence[Interval]) -> None:
    lowest = min(rate.value if rate.low is None else rate.low for rate in rates)
    axes.set_ylim(max(0.0, lowest - 0.05), 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_ylabel("pass rate, mean over prompts")
