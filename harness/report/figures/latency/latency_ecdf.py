"""Latency ECDF: the share of all requests that were answered within t. A failed request never counts as answered."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from harness.analysis.columns import Columns, Floats
from harness.analysis.summary.summary import TargetSummary
from harness.report.drawing.frame import RunView, draw_message, open_figure, target_handle
from harness.report.drawing.scales import scale_x
from harness.report.drawing.style import GREY
from harness.report.wording import value_of

TITLE = "How soon do answers begin and end?"
MOST_STEPS = 1000
"""Steps of a curve at most; a longer one is thinned."""
Latency = Callable[[Columns], Floats]


def draw(view: RunView) -> Figure:
    """A panel for TTFT, if any target streams, and one for E2E latency. Each curve ends at the share answered."""
    panels = [(name, of) for name, of in (("TTFT", ttft), ("E2E latency", e2e)) if _any_value(view, of)]
    if not panels:
        return draw_message(view, title=TITLE, message="No request succeeded, so there is no latency to show.")
    legend = [_legend_line(view, t) for t in view.targets]
    figure = open_figure(view, title=_title(view), question=_question(view), body_in=3.9, legend=legend)
    for axes, (name, of) in zip(figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels, strict=True):
        _draw_panel(axes, view, name, of)
    figure.axes[0].set_ylabel("share of all requests")
    return figure


def ttft(columns: Columns) -> Floats:
    """First content chunk − due, s, for each request. NaN if it succeeded without streaming, +∞ if it failed."""
    return np.where(columns.ok, columns.first_s - columns.due_s, np.inf)


def e2e(columns: Columns) -> Floats:
    """Done − due, s, for each request. +∞ if it failed."""
    return np.where(columns.ok, columns.done_s - columns.due_s, np.inf)


def ecdf(values: Floats) -> tuple[Floats, Floats]:
    """(x, F(x)) for every finite value: sorted values, and the share of values ≤ x. +∞ counts as a value, NaN does not.

    At most MOST_STEPS points, both ends included.
    """
    known = np.sort(values[~np.isnan(values)])
    finite = known[np.isfinite(known)]
    shares = np.arange(1, len(finite) + 1) / max(1, len(known))
    if len(finite) > MOST_STEPS:
        kept = np.unique(np.linspace(0, len(finite) - 1, MOST_STEPS).astype(int))
        return finite[kept], shares[kept]
    return finite, shares


def _title(view: RunView) -> str:
    winner = view.winner("ttft_p50")
    leading = view.leading(winner)
    if winner is None or leading is None:
        return TITLE
    return f"First token soonest: {leading}" + (f", TTFT p50 {value_of(winner)}" if winner.clear else "")


def _question(view: RunView) -> str:
    text = "Share of requests answered within a given time of when they were due."
    if any(t.succeeded < t.requests for t in view.targets):
        return f"{text} A failed request is never answered, so a curve with failures stays below 100%."
    return f"{text} No request failed: every curve reaches 100%."


def _any_value(view: RunView, of: Latency) -> bool:
    return any(np.isfinite(of(c)).any() for c in view.columns.values())


def _draw_panel(axes: Axes, view: RunView, name: str, of: Latency) -> None:
    curves = {t.target: ecdf(of(view.columns[t.target])) for t in view.targets if t.target in view.columns}
    scale_x(axes, np.concatenate([times for times, _ in curves.values()]), f"{name} from due (s)")
    right = axes.get_xlim()[1]
    for t in view.targets:
        if t.target in curves and len(curves[t.target][0]):
            axes.add_line(_curve(view, t, curves[t.target], right))
    axes.set_ylim(0, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_yticks([0, 0.25, 0.5, 0.75, 0.95, 1])
    axes.set_title(name)
    for share in (0.5, 0.95):
        axes.axhline(share, color=GREY, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)


def _curve(view: RunView, t: TargetSummary, curve: tuple[Floats, Floats], right: float) -> Line2D:
    """Steps from zero to the share answered, then level to the right edge."""
    times, shares = curve
    look = view.look(t)
    return Line2D(
        [times[0], *times, right],
        [0.0, *shares, shares[-1]],
        drawstyle="steps-post",
        color=look.colour,
        linestyle=look.line,
        marker=look.marker,
        markersize=5,
        markevery=_mark_shares(shares),
    )


def _mark_shares(shares: Floats) -> list[int]:
    """Indices of the points to mark: the quartiles and the end."""
    wanted = [q for q in (0.25, 0.5, 0.75) if q < shares[-1]]
    return sorted({int(np.searchsorted(shares, q)) + 1 for q in wanted} | {len(shares)})


def _legend_line(view: RunView, t: TargetSummary) -> Line2D:
    return target_handle(view, t, f"({t.succeeded:,} of {t.requests:,} answered)")
