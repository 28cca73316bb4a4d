"""What the two figures of latency against length share: a panel for each target, its requests and their trend."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.analysis.breakdown.lengths import trend_over_prompts
from harness.analysis.breakdown.trends import FEWEST, Trend
from harness.analysis.columns import Columns, Floats
from harness.analysis.summary.summary import TargetSummary
from harness.report.drawing.frame import RunView, draw_message, legend_entry, open_figure
from harness.report.drawing.scales import scale_x, scale_y
from harness.report.drawing.style import GREY, INK
from harness.report.figures.latency.timeline import RASTER_FROM, one_per_cell
from harness.report.section import Cell, Column, Name, Number, Table
from harness.report.wording import MINUS, significant

MANY = 12
"""With more targets than this, panels are smaller, five in a row."""
LIKE = 2.0
INTERVALS = "Theil–Sen slope of the medians by prompt or group, Sen 1968"


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two figures: what it shows, and the functions that every figure has."""

    title: str
    latency: str
    """`TTFT`"""
    length: str
    """`input tokens`"""
    lengths: Callable[[Columns], Floats]
    latencies: Callable[[Columns], Floats]
    per: int
    """Tokens that the slope is given for; a tenth or a hundredth of them where lengths differ by less."""
    unit: str
    """Of the slope: `ms` or `s`."""

    def draw(self, view: RunView) -> Figure | None:
        """A panel for each target with both values. None: all lengths are much alike."""
        return _draw_growth(view, self, view.once(self.collect))

    def table(self, view: RunView) -> Table | None:
        """A row for each target: its slope with the interval."""
        return _growth_table(view, self, view.once(self.collect))

    def describe(self, view: RunView) -> str:
        """What there is to see, in a sentence."""
        return _describe_growth(view, self, view.once(self.collect))

    def collect(self, view: RunView) -> dict[str, Points]:
        """Target → its points; targets without any are left out."""
        found = {}
        for name, c in view.columns.items():
            x, y = self.lengths(c), self.latencies(c)
            known = ~np.isnan(x) & ~np.isnan(y) & (x > 0) & (y > 0)
            if known.any():
                trend = trend_over_prompts(c, np.where(known, x, np.nan), np.where(known, y, np.nan))
                found[name] = Points(lengths=x[known], latencies=y[known], trend=trend)
        return found

    def tokens(self, found: Mapping[str, Points]) -> int:
        """How many tokens the slope is given for: at most as many as lie between the shortest and the longest."""
        span = max(float(np.ptp(each.lengths)) for each in found.values())
        return next((self.per // part for part in (1, 10) if self.per // part <= span), self.per // 100)


class Points(msgspec.Struct, frozen=True, kw_only=True):
    """One target's requests that have both values, and their trend."""

    lengths: Floats
    latencies: Floats
    trend: Trend | None


def _draw_growth(view: RunView, growth: Growth, found: dict[str, Points]) -> Figure | None:
    """A panel for each target on shared axes: a dot a request and the trend, its slope in words.

    None: all lengths are within a factor of LIKE, so there is no growth to show.
    """
    if found and not _lengths_differ(found):
        return None
    shown = [t for t in view.targets if t.target in found]
    if not shown:
        message = f"No answered request has both its {growth.latency} and its {growth.length}."
        return draw_message(view, title=growth.title, message=message)
    across = min(5 if len(shown) > MANY else 4, len(shown))
    down = math.ceil(len(shown) / across)
    figure = open_figure(
        view,
        title=growth.title,
        question=_question(view, growth, shown),
        body_in=0.35 + (1.9 if len(shown) > MANY else 2.3) * down + (0.7 if down == 1 else 0.0),
        intervals=INTERVALS if any(found[t.target].trend for t in shown) else "",
        legend=_legend(found),
    )
    panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel().tolist()
    is_log = _scale(panels[0], growth, [found[t.target] for t in shown])
    label = panels[0].get_xlabel()
    for at, (axes, t) in enumerate(zip(panels, shown, strict=False)):
        _draw_panel(axes, view, t, growth, found)
        axes.set_ylabel(f"{growth.latency} (s{', log scale' if is_log else ''})" if at % across == 0 else "")
        is_lowest = at + across >= len(shown)
        axes.set_xlabel(label if is_lowest else "")
        axes.tick_params(labelbottom=is_lowest)
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    return figure


def _lengths_differ(found: Mapping[str, Points]) -> bool:
    shortest, longest = (choose([choose(each.lengths) for each in found.values()]) for choose in (np.min, np.max))
    return bool(longest >= LIKE * shortest)


def _growth_table(view: RunView, growth: Growth, found: dict[str, Points]) -> Table | None:
    """A row for each target: its slope with the interval, and the medians of both."""
    if not found or not _lengths_differ(found):
        return None
    per = growth.tokens(found)
    headings = (
        "requests",
        f"per {per:,} {growth.length}",
        "prompts or groups",
        f"median {growth.length}",
        f"median {growth.latency}",
    )
    rows: list[list[Cell]] = []
    for t in view.targets:
        points = found.get(t.target)
        if points is None:
            rows.append([Name(t.target), 0, None, None, None, None])
            continue
        middle = Number(float(np.median(points.lengths))), Number(float(np.median(points.latencies)), "s")
        slope = None if points.trend is None else _slope(growth, points.trend, per)
        over = None if points.trend is None else points.trend.points
        rows.append([Name(t.target), len(points.lengths), slope, over, *middle])
    columns = [Column(heading="target", is_text=True), *(Column(heading=heading) for heading in headings)]
    return Table(columns=columns, rows=rows)


def _describe_growth(view: RunView, growth: Growth, found: dict[str, Points]) -> str:
    """Each target's slope in words; of many targets, the least and the most."""
    trends = {t.target: trend for t in view.targets if t.target in found and (trend := found[t.target].trend)}
    if found and not _lengths_differ(found):
        return f"All {growth.length} are much alike."
    known = sorted(trends, key=lambda name: trends[name].slope.value)
    if not known:
        return f"{growth.latency} of each request by its {growth.length}; too few prompts for a trend."
    told = known if len(known) == 1 else [known[0], known[-1]]
    words = (
        f"{slope_in_words(growth, trends[name], growth.tokens(found))} with {view.looks[name].label}" for name in told
    )
    return f"{growth.latency} of each request by its {growth.length}: {'; '.join(words)}."


def slope_in_words(growth: Growth, trend: Trend, per: int) -> str:
    """`+38.0 ms per 1,000 input tokens [30.1, 47.2]`; `no trend shown: −3 to +9 ms …` where the interval holds 0."""
    value, low, high, unit = _words(growth, trend, per)
    if is_flat(trend):
        return f"no trend shown: {low} to {high} {unit} per {per:,} {growth.length}"
    return f"{value} {unit} per {per:,} {growth.length} [{low}, {high}]"


def _in_two_lines(growth: Growth, trend: Trend | None, per: int) -> str:
    """The same for a narrow panel."""
    if trend is None:
        return f"no trend: takes {FEWEST} prompts\nof unlike length"
    value, low, high, unit = _words(growth, trend, per)
    if is_flat(trend):
        return f"no trend shown\n{low} to {high} {unit} per {per:,} tokens"
    return f"{value} {unit} per {per:,} tokens\n[{low}, {high}]"


def _words(growth: Growth, trend: Trend, per: int) -> tuple[str, str, str, str]:
    """The slope and its bounds as text, and their unit."""
    number = _slope(growth, trend, per)
    scale = 1000 if number.unit == "ms" else 1
    value, low, high = (_signed(scale * (bound or 0.0)) for bound in (number.value, number.low, number.high))
    return value, low, high, number.unit


def is_flat(trend: Trend) -> bool:
    """Whether the slope may be 0."""
    return (trend.slope.low or 0.0) <= 0 <= (trend.slope.high or 0.0)


def _signed(value: float) -> str:
    return ("+" if value > 0 else MINUS if value < 0 else "") + significant(abs(value))


def _slope(growth: Growth, trend: Trend, per: int) -> Number:
    s = trend.slope
    low, high = (None if bound is None else bound * per for bound in (s.low, s.high))
    return Number(s.value * per, growth.unit, low, high, bounded=True, signed=True)


def _question(view: RunView, growth: Growth, shown: Sequence[TargetSummary]) -> str:
    text = f"{growth.latency} of each answered request by its {growth.length}. All panels share their axes."
    left = len(view.targets) - len(shown)
    return f"{text} {left} of {len(view.targets)} targets have no such request." if left else text


def _legend(found: dict[str, Points]) -> list[Artist]:
    handles: list[Artist] = [legend_entry("an answered request", color=GREY, marker="o", markersize=4)]
    if any(each.trend for each in found.values()):
        label = "robust trend of the prompts' medians (Theil–Sen)"
        handles.append(legend_entry(label, color=INK, linewidth=1.5, linestyle="-"))
    if any(each.trend and is_flat(each.trend) for each in found.values()):
        handles.append(legend_entry("the same, but it may be flat", color=INK, linewidth=1.5, linestyle="--"))
    return handles


def _scale(axes: Axes, growth: Growth, points: Sequence[Points]) -> bool:
    scale_x(axes, np.concatenate([each.lengths for each in points]), growth.length)
    return scale_y(axes, np.concatenate([each.latencies for each in points]))


def _draw_panel(axes: Axes, view: RunView, t: TargetSummary, growth: Growth, found: Mapping[str, Points]) -> None:
    look, points = view.look(t), found[t.target]
    many = len(points.lengths) > RASTER_FROM
    kept = one_per_cell(axes, points.lengths, points.latencies) if many else slice(None)
    axes.plot(
        points.lengths[kept],
        points.latencies[kept],
        look.marker,
        color=look.colour,
        markersize=2.0 if many else 3.5,
        alpha=0.5,
        markeredgewidth=0,
        rasterized=many,
    )
    if points.trend is not None:
        x = np.linspace(points.lengths.min(), points.lengths.max(), 60)
        y = points.trend.at(x)
        axes.plot(x[y > 0], y[y > 0], color=INK, linewidth=1.5, linestyle="--" if is_flat(points.trend) else "-")
    below = _in_two_lines(growth, points.trend, growth.tokens(found))
    axes.set_title(f"{look.two_lines}\n{below}", fontsize=7.5, fontweight="normal", pad=3, linespacing=1.2)
