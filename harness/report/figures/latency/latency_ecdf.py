"""Latency ECDF: the share of all requests that were answered within t. A failed request never counts as answered."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from harness.analysis.columns import Columns, Floats
from harness.analysis.summary.summary import Quantiles, TargetSummary
from harness.characters import counted
from harness.report.drawing.frame import RunView, draw_message, legend_entry, open_figure, target_handle
from harness.report.drawing.scales import scale_x
from harness.report.drawing.style import GREY
from harness.report.drawing.words import TARGET, is_bounded, say, span_of
from harness.report.section import Cell, Column, Table, number, quantile, tabulate
from harness.report.wording import seconds, value_of

TITLE = "How soon do answers begin and end?"
READ = "A curve further left answers sooner; where it is thin, too few requests lie beyond to rely on it."
NO_VALUE = "No request succeeded, so there is no latency to show."
MOST_STEPS = 400
"""Steps of a curve at most; a longer one is thinned."""
STEPS_OF_ALL = 3000
"""Steps of all curves of a panel at most."""
SHARES = (0.25, 0.5, 0.75, 0.95)
"""Of all requests, in the table."""
BOUNDED = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
"""The percentiles that are known to have a bound or not."""
THICK, THIN = 1.8, 0.7
"""Widths of a line."""
MANY_TARGETS = 12
"""With more, no line is thick."""
Latency = Callable[[Columns], Floats]


def draw(view: RunView) -> Figure:
    """A panel for TTFT, if any target streams, and one for E2E latency. Each curve ends at the share answered."""
    panels = _panels(view)
    if not panels:
        return draw_message(view, title=TITLE, message=NO_VALUE)
    legend = [*(_legend_line(view, t) for t in view.targets), *_thin_handle(view)]
    figure = open_figure(view, title=_title(view), question=_question(view), body_in=3.9, legend=legend)
    for axes, (name, of) in zip(figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels, strict=True):
        _draw_panel(axes, view, name, of)
    figure.axes[0].set_ylabel("share of all requests")
    return figure


def table(view: RunView) -> Table | None:
    """The times by which shares of all requests of a target were answered, and the share that was answered at all."""
    columns = [
        (Column(heading=f"{name}, {100 * share:g}% of requests", best="low"), _time_of(view, of, share))
        for name, of in _panels(view)
        for share in SHARES
    ]
    answered = (Column(heading="answered", best="high"), lambda t: number(t.succeeded / t.requests, "share"))
    return tabulate([t for t in view.targets if t.requests], [TARGET, *columns, answered]) if columns else None


def describe(view: RunView) -> str:
    """Between which targets half of all requests were answered soonest and latest."""
    panels = _panels(view)
    if not panels:
        return NO_VALUE
    spans = [
        span_of(f"half of all requests have their {name} within", _times(view, of, 0.5), seconds) for name, of in panels
    ]
    failed = sum(t.requests - t.succeeded for t in view.targets)
    return say(*spans, f"{failed:,} of {counted(sum(t.requests for t in view.targets), 'request')} failed")


def ttft(columns: Columns) -> Floats:
    """First content chunk − due, s, for each request. NaN if it succeeded without streaming, +∞ if it failed."""
    return np.where(columns.ok, columns.first_s - columns.due_s, np.inf)


def e2e(columns: Columns) -> Floats:
    """Done − due, s, for each request. +∞ if it failed."""
    return np.where(columns.ok, columns.done_s - columns.due_s, np.inf)


def ecdf(values: Floats, most: int = MOST_STEPS) -> tuple[Floats, Floats]:
    """(x, F(x)) for every finite value: sorted values, and the share of values ≤ x. +∞ counts as a value, NaN does not.

    At most `most` points, both ends included.
    """
    known = np.sort(values[~np.isnan(values)])
    finite = known[np.isfinite(known)]
    shares = np.arange(1, len(finite) + 1) / max(1, len(known))
    if len(finite) > most:
        kept = np.unique(np.linspace(0, len(finite) - 1, most).astype(int))
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


def _panels(view: RunView) -> list[tuple[str, Latency]]:
    return [(name, of) for name, of in (("TTFT", ttft), ("E2E latency", e2e)) if _any_value(view, of)]


def _times(view: RunView, of: Latency, share: float) -> list[tuple[str, float | None]]:
    """Each target with the time by which this share of its requests was answered; None if that never was."""
    return [(t.target, _time(view, t, of, share)) for t in view.targets]


def _time(view: RunView, t: TargetSummary, of: Latency, share: float) -> float | None:
    if t.target not in view.columns:
        return None
    times, shares = ecdf(of(view.columns[t.target]), most=len(view.columns[t.target].ok))
    reached = int(np.searchsorted(shares, share))
    return float(times[reached]) if reached < len(times) else None


def _time_of(view: RunView, of: Latency, share: float) -> Callable[[TargetSummary], Cell]:
    return lambda t: number(_time(view, t, of, share), "s")


def bounded_share(t: TargetSummary, quantiles: Quantiles | None) -> float:
    """Up to which share of all requests a curve is known: that of the last percentile with an upper bound; 0 … 1.

    A percentile is of successes, a curve's share of all requests.
    """
    known = [q for name, q in BOUNDED.items() if is_bounded(quantile(quantiles, name))]
    if len(known) == len(BOUNDED):
        return 1.0
    return max(known, default=0.0) * t.succeeded / t.requests if t.requests else 0.0


def _quantiles(t: TargetSummary, of: Latency) -> Quantiles | None:
    return t.ttft_s if of is ttft else t.e2e_s


def _thin_handle(view: RunView) -> list[Line2D]:
    thin = any(
        _quantiles(t, of) is not None and bounded_share(t, _quantiles(t, of)) < 1
        for t in view.targets
        for _, of in _panels(view)
    )
    label = "thin: beyond the last percentile that the data bounds from above"
    return [legend_entry(label, color=GREY, linestyle="-", linewidth=THIN)] if thin else []


def _any_value(view: RunView, of: Latency) -> bool:
    return any(np.isfinite(of(c)).any() for c in view.columns.values())


def _draw_panel(axes: Axes, view: RunView, name: str, of: Latency) -> None:
    most = max(50, min(MOST_STEPS, STEPS_OF_ALL // len(view.targets)))
    curves = {t.target: ecdf(of(view.columns[t.target]), most) for t in view.targets if t.target in view.columns}
    scale_x(axes, np.concatenate([times for times, _ in curves.values()]), f"{name} from due (s)")
    right = axes.get_xlim()[1]
    for t in view.targets:
        if t.target in curves and len(curves[t.target][0]):
            known = bounded_share(t, _quantiles(t, of))
            for line in _curve(view, t, curves[t.target], right, known):
                axes.add_line(line)
    axes.set_ylim(0, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_yticks([0, 0.25, 0.5, 0.75, 0.95, 1])
    axes.set_title(name)
    for share in (0.5, 0.95):
        axes.axhline(share, color=GREY, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)


def _curve(
    view: RunView, t: TargetSummary, curve: tuple[Floats, Floats], right: float, known: float
) -> tuple[Line2D, Line2D]:
    """Steps from zero to the share answered, then level to the right edge; thin beyond the share `known`."""
    times, shares = [curve[0][0], *curve[0], right], [0.0, *curve[1], curve[1][-1]]
    look = view.look(t)
    turn = len(times) if known >= 1 else int(np.searchsorted(curve[1], known, side="right")) + 1
    marks = _mark_shares(curve[1])
    thick = THICK if len(view.targets) <= MANY_TARGETS else 1.5 * THIN

    def part(begin: int, end: int, width: float, face: str) -> Line2D:
        return Line2D(
            times[begin:end],
            shares[begin:end],
            drawstyle="steps-post",
            color=look.colour,
            linestyle=look.line,
            linewidth=width,
            marker=look.marker,
            markersize=5,
            markerfacecolor=face,
            markeredgewidth=1,
            markevery=[mark - begin for mark in marks if begin <= mark < end and (mark > begin or begin == 0)],
        )

    return part(0, turn, thick, look.colour), part(turn - 1, len(times), THIN, "white")


def _mark_shares(shares: Floats) -> list[int]:
    """Indices of the points to mark: the quartiles and the end."""
    wanted = [q for q in (0.25, 0.5, 0.75) if q < shares[-1]]
    return sorted({int(np.searchsorted(shares, q)) + 1 for q in wanted} | {len(shares)})


def _legend_line(view: RunView, t: TargetSummary) -> Line2D:
    return target_handle(view, t, f"({t.succeeded:,} of {t.requests:,} answered)")
