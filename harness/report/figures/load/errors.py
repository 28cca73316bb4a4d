"""Errors: the share of requests whose last attempt failed, and why attempts failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from harness.analysis.stats.proportions import rule_of_three
from harness.analysis.summary.summary import TargetSummary
from harness.characters import counted, printable
from harness.report.drawing.frame import RunView, label_rows, open_figure, rows_in
from harness.report.drawing.scales import scale_from_zero
from harness.report.drawing.style import INK, drawable
from harness.report.drawing.words import TARGET, say, span_of
from harness.report.section import Cell, Column, Table, tabulate
from harness.report.wording import error_rate, failed_requests, percent

READ = "Left, the share of requests that failed for good; right, every failed attempt by kind, retried ones included."
FILLS = (
    ("#D55E00", ""),
    ("#56B4E9", "////"),
    ("#000000", ""),
    ("#F0E442", "...."),
    ("#009E73", "\\\\\\\\"),
    ("#CC79A7", "xxxx"),
)
"""Colour and hatch of each error kind, the most frequent kind first."""
REST = "other kinds"


def draw(view: RunView) -> Figure:
    """The share of failed requests with its interval and, if any attempt failed, failed attempts by kind."""
    kinds = shown_kinds(view.targets)
    figure = open_figure(
        view,
        title=_title(view),
        question=_question(view),
        body_in=rows_in(len(view.targets)),
        intervals="Wilson; repeats and bursts counted; one-sided 3/n where none failed",
        legend=[_legend_patch(kind, i) for i, kind in enumerate(kinds)],
    )
    if not kinds:
        _draw_failed(figure.subplots(), view)
        return figure
    left, right = figure.subplots(1, 2)
    _draw_failed(left, view)
    _draw_kinds(right, view, kinds)
    return figure


def table(view: RunView) -> Table | None:
    """The error rate of each target and its failed attempts of each kind that is shown."""
    kinds = shown_kinds(view.targets)
    return tabulate(
        view.targets,
        [
            TARGET,
            (Column(heading="requests"), lambda t: t.requests),
            (Column(heading="failed"), failed_requests),
            (Column(heading="error rate", best="low"), error_rate),
            (Column(heading="attempts"), lambda t: t.attempts),
            *((Column(heading=printable(kind)), _count_of(kind, kinds)) for kind in kinds),
        ],
    )


def describe(view: RunView) -> str:
    """The lowest and the highest error rate, and the most frequent kind of error."""
    kinds = shown_kinds(view.targets)
    rates = [(t.target, 1 - t.success_rate.value) for t in view.targets]
    total = sum(_count(t, kinds[0], kinds) for t in view.targets) if kinds else 0
    most = f"most frequent: {printable(kinds[0])}, {counted(total, 'attempt')}" if kinds else "no attempt failed"
    return say(span_of("share of requests that failed", rates, percent), most)


def _count_of(kind: str, kinds: Sequence[str]) -> Callable[[TargetSummary], Cell]:
    return lambda t: _count(t, kind, kinds)


def shown_kinds(targets: Sequence[TargetSummary]) -> list[str]:
    """Error kinds, the most frequent first. If there are more than fills, the rarest are combined into REST."""
    totals: dict[str, int] = {}
    for t in targets:
        for kind, count in t.error_kinds.items():
            totals[kind] = totals.get(kind, 0) + count
    kinds = sorted(totals, key=lambda kind: (-totals[kind], kind))
    return kinds if len(kinds) <= len(FILLS) else [*kinds[: len(FILLS) - 1], REST]


def _title(view: RunView) -> str:
    failed, requests = (sum(f(t) for t in view.targets) for f in (failed_requests, lambda t: t.requests))
    attempts = sum(sum(t.error_kinds.values()) for t in view.targets)
    if failed:
        return f"{failed:,} of {counted(requests, 'request')} failed"
    if attempts == 1:
        return "No request failed; 1 attempt failed and was retried"
    if attempts:
        return f"No request failed; {attempts:,} attempts failed and were retried"
    return f"No error in {counted(requests, 'request')}"


def _question(view: RunView) -> str:
    if any(t.error_kinds for t in view.targets):
        return "Left: requests whose last attempt failed. Right: all failed attempts by kind, including retried ones."
    smallest = min((t.requests for t in view.targets), default=0)
    bound = rule_of_three(smallest, view.summary.level)
    return (
        f"No failure seen does not mean none: after {counted(smallest, 'request')} without one, a target's error rate "
        f"may still be at most {percent(bound)} (one-sided {100 * view.summary.level:g}%, 3/n)."
    )


def _draw_failed(axes: Axes, view: RunView) -> None:
    highs = []
    for y, t in enumerate(view.targets):
        low, high = _failure_bounds(t, view.summary.level)
        rate = 1 - t.success_rate.value
        colour = view.look(t).colour
        axes.plot([low, high], [y, y], color=colour, linewidth=2, solid_capstyle="butt")
        axes.plot([rate], [y], view.look(t).marker, color=colour, markersize=8, clip_on=False)
        text = f"{failed_requests(t):,} of {t.requests:,}"
        text += f": {percent(rate)}" if failed_requests(t) else f" (at most {percent(high)}, 3/n)"
        axes.annotate(text, (high, y), (6, 0), textcoords="offset points", va="center", fontsize=8.5)
        highs.append(high)
    room = 1.35 if len(axes.figure.axes) > 1 else 1.0
    scale_from_zero(axes, max(highs, default=1.0) * room, "share of requests, mean over prompts")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{100 * rate:g}%" if rate <= 1 else ""))
    axes.set_title("Requests that failed")
    label_rows(axes, view)


def _failure_bounds(t: TargetSummary, level: float) -> tuple[float, float]:
    """The failure rate's interval: Wilson's mirrored, or [0, 3/n], one-sided, where nothing failed."""
    if not failed_requests(t):
        return 0.0, rule_of_three(t.requests, level)
    s = t.success_rate
    return 1 - (s.value if s.high is None else s.high), 1 - (s.value if s.low is None else s.low)


def _draw_kinds(axes: Axes, view: RunView, kinds: Sequence[str]) -> None:
    most = max(sum(t.error_kinds.values()) for t in view.targets)
    for y, t in enumerate(view.targets):
        start = 0
        for i, kind in enumerate(kinds):
            count = _count(t, kind, kinds)
            colour, hatch = FILLS[i]
            axes.barh(y, count, left=start, height=0.62, color=colour, hatch=hatch, edgecolor="white", linewidth=0.8)
            start += count
        text = f"{start:,} of {counted(t.attempts, 'attempt')}"
        axes.annotate(text, (start, y), (5, 0), textcoords="offset points", va="center", fontsize=8.5, color=INK)
    scale_from_zero(axes, most * 1.2, "failed attempts")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_title("Why attempts failed")
    label_rows(axes, view, named=False)


def _count(t: TargetSummary, kind: str, kinds: Sequence[str]) -> int:
    if kind == REST:
        return sum(count for other, count in t.error_kinds.items() if other not in kinds)
    return t.error_kinds.get(kind, 0)


def _legend_patch(kind: str, rank: int) -> Artist:
    colour, hatch = FILLS[rank]
    return Patch(facecolor=colour, hatch=hatch, edgecolor="white", label=drawable(printable(kind)))
