"""Forest plot of a comparison: each metric's difference with its interval, against zero and against its margin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from harness.analysis.compare.comparison import ORDER, CompareReport, Difference, Scale, Verdict, word
from harness.characters import counted, printable
from harness.report.compare.verdicts import (
    candidate_of,
    change_alone,
    difference,
    gated,
    margin,
    mark,
    metric_name,
    short_headline,
    worst_first,
)
from harness.report.drawing.frame import Provenance, legend_entry, open_frame
from harness.report.drawing.scales import write_tick
from harness.report.drawing.style import GREY, INK, drawable
from harness.report.drawing.words import list_few, say
from harness.report.section import Column, Table, tabulate
from harness.report.wording import counts, interval_note, shorten

READ = "A bar right of the line is worse; a verdict depends on whether the whole bar lies inside the shaded margin."
COLOURS: dict[Verdict, str] = {"worse": "#B3261E", "better": "#00795A", "no_worse": "#0072B2", "inconclusive": GREY}
MARKERS: dict[Verdict, str] = {"worse": "X", "better": "D", "no_worse": "o", "inconclusive": "s"}
TITLES: dict[Verdict, str] = {
    "worse": "worse than the baseline",
    "inconclusive": "may be worse than the baseline",
    "no_worse": "no worse than the baseline",
    "better": "better than the baseline",
}
NOTHING = "Nothing could be compared."
SHADE = "#E3E8ED"
ROW_IN = 0.3
PANEL_IN = 0.72
"""Of a panel's title, ticks and label."""
NAME_WIDTH = 40
HALF = 0.36
"""Half the height of a row's margin."""
PERCENTS = (-98, -95, -90, -80, -70, -60, -50, -40, -30, -20, -10, -5, -2, -1,
            1, 2, 5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1000, 2000, 5000)  # fmt: skip
"""Round enough for a tick."""
CLOSEST_TICKS = 0.085
"""Share of the axis between two of its ticks, at least."""
SCALES: tuple[Scale, ...] = ("log_ratio", "points", "absolute")
Kind = tuple[Scale, str]
"""What can share an axis: a scale, and the unit where the scale has none of its own."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the plot."""

    label: str
    difference: Difference


def draw(report: CompareReport) -> Figure:
    """A panel for each scale, a row for each candidate and metric of the gate; right of the line is worse."""
    panels = _panels(report)
    figure = open_frame(
        _provenance(report),
        title=_title(report),
        question="Difference from the baseline with its interval. Left of the line is better, right of it worse; "
        "shaded: within the gate's margin.",
        body_in=sum(PANEL_IN + ROW_IN * len(rows) for rows in panels.values()) or 1.2,
        legend=_legend(panels),
    )
    if not panels:
        axes = figure.subplots()
        axes.set_axis_off()
        axes.text(0.5, 0.5, NOTHING, ha="center", va="center", fontsize=12, color=GREY)
        return figure
    heights = [PANEL_IN + ROW_IN * len(rows) for rows in panels.values()]
    grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)
    for axes, (kind, rows) in zip(grid[:, 0], panels.items(), strict=True):
        _draw_panel(axes, kind, rows)
    return figure


def table(report: CompareReport) -> Table:
    """The rows of the plot: each difference with its interval, its margin and its verdict."""
    rows = [row for panel in _panels(report).values() for row in panel]
    return tabulate(
        rows,
        [
            (Column(heading="metric"), lambda row: row.label),
            (Column(heading="difference"), lambda row: difference(row.difference)),
            (Column(heading="margin"), lambda row: margin(row.difference)),
            (Column(heading="verdict", is_text=True), lambda row: mark(row.difference.verdict)),
        ],
    )


def describe(report: CompareReport) -> str:
    """How many rows have which verdict, and the rows that are worse."""
    rows = [row for panel in _panels(report).values() for row in panel]
    if not rows:
        return NOTHING
    found = {verdict: [r for r in rows if r.difference.verdict == verdict] for verdict in ORDER}
    counted_rows = ", ".join(f"{len(each)} {word(verdict)}" for verdict, each in found.items() if each)
    worse = [f"{row.label} {change_alone(row.difference)}" for row in found["worse"]]
    return say(f"of {counted(len(rows), 'row')}: {counted_rows}", f"worse: {list_few(worse)}" if worse else "")


def _panels(report: CompareReport) -> dict[Kind, list[Row]]:
    """Rows of one metric next to each other, candidates in the report's order; relative differences first."""
    found = [(c, d) for c in report.comparisons for d in gated(c)]
    panels: dict[Kind, list[Row]] = {}
    for metric in dict.fromkeys(d.metric for _, d in found):
        for c, d in found:
            if d.metric == metric:
                label = _label(metric, candidate_of(c) if len(report.comparisons) > 1 else "")
                kind: Kind = (d.scale, d.unit if d.scale == "absolute" else "")
                panels.setdefault(kind, []).append(Row(label=label, difference=d))
    return dict(sorted(panels.items(), key=lambda panel: SCALES.index(panel[0][0])))


def _label(metric: str, candidate: str) -> str:
    name = metric_name(metric)
    return drawable(name if not candidate else f"{name}, {shorten(printable(candidate), NAME_WIDTH)}")


def _title(report: CompareReport) -> str:
    worst = worst_first(report)
    if len(worst) == 1:
        return printable(short_headline(worst[0]))
    of = sum(c.verdict == report.verdict for c in worst)
    return f"{of} of {len(worst)} candidates: {TITLES[report.verdict]}"


def _legend(panels: dict[Kind, list[Row]]) -> list[Line2D | Patch]:
    rows = [row.difference for each in panels.values() for row in each]
    handles: list[Line2D | Patch] = [
        legend_entry(mark(verdict), **verdict_style(verdict), markersize=7)
        for verdict in ORDER
        if any(d.verdict == verdict for d in rows)
    ]
    if any(d.margin is not None for d in rows):
        handles.append(Patch(facecolor=SHADE, label="within the margin"))
    if any(d.estimate is not None and None in (d.low, d.high) for d in rows):
        handles.append(legend_entry("no bound on that side at this n", color=GREY, linestyle=":", marker=">"))
    return handles


def verdict_style(verdict: Verdict) -> dict[str, Any]:
    """Shape and colour both tell the verdict; hollow is undecided."""
    face = "white" if verdict == "inconclusive" else COLOURS[verdict]
    return {"marker": MARKERS[verdict], "color": COLOURS[verdict], "markerfacecolor": face}


def _draw_panel(axes: Axes, kind: Kind, rows: Sequence[Row]) -> None:
    scale, own_unit = kind
    reach = _reach([row.difference for row in rows])
    axes.set_xlim(-reach, reach)
    for y, row in enumerate(rows):
        _draw_row(axes, y, row.difference, reach)
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_yticks(range(len(rows)), [row.label for row in rows], fontsize=8.5)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    title, unit = _words(scale, own_unit)
    axes.set_title(title)
    axes.set_xlabel(f"← better      {unit}      worse →", fontsize=8.5)
    _scale(axes, scale, reach)


def _words(scale: Scale, unit: str) -> tuple[str, str]:
    """A panel's title and what its axis counts."""
    match scale:
        case "log_ratio":
            return "Relative to the baseline", "candidate / baseline − 1, log scale"
        case "points":
            return "Rates", "percentage points"
        case "absolute":
            return "Candidate − baseline", printable(unit)


def _reach(rows: Sequence[Difference]) -> float:
    """Half the axis, the same on both sides: all that is drawn, and a little room."""
    values = [v for d in rows for v in (d.low, d.high, d.estimate, d.margin) if v is not None and math.isfinite(v)]
    return 1.12 * max((abs(v) for v in values), default=1.0) or 1.0


def _draw_row(axes: Axes, y: int, d: Difference, reach: float) -> None:
    if d.margin is not None:
        axes.add_patch(Rectangle((-d.margin, y - HALF), 2 * d.margin, 2 * HALF, color=SHADE, linewidth=0, zorder=0.5))
    text = f"{change_alone(d)}  {mark(d.verdict)}"
    axes.text(1.018, y, text, transform=axes.get_yaxis_transform(), va="center", fontsize=8, color=COLOURS[d.verdict])
    if d.estimate is None:
        axes.text(0, y, " unknown ", va="center", ha="left", fontsize=7.5, color=GREY)
        return
    for bound, end in ((d.low, -reach), (d.high, reach)):
        if bound is not None:
            axes.plot([d.estimate, bound], [y, y], color=COLOURS[d.verdict], linewidth=2, solid_capstyle="butt")
            continue
        axes.plot([d.estimate, end], [y, y], color=COLOURS[d.verdict], linewidth=1.2, linestyle=":")
        axes.plot([end], [y], ">" if end > 0 else "<", color=COLOURS[d.verdict], markerfacecolor="white",
                  markersize=5, clip_on=False)  # fmt: skip
    axes.plot([d.estimate], [y], **verdict_style(d.verdict), markersize=7, zorder=3)


def _scale(axes: Axes, scale: Scale, reach: float) -> None:
    axes.xaxis.set_minor_locator(NullLocator())
    if scale == "log_ratio":
        axes.xaxis.set_major_locator(FixedLocator(_ratio_ticks(reach)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _percent_tick(value)))
        return
    axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 2.5, 5, 10]))
    factor = 100 if scale == "points" else 1
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: write_tick(factor * abs(value))))


def _ratio_ticks(reach: float) -> list[float]:
    """Logarithms of round ratios that fit, from the middle outwards, none too close to the one before."""
    ticks = [0.0]
    for side in (-1, 1):
        last = 0.0
        for tick in sorted((math.log1p(p / 100) for p in PERCENTS if p * side > 0), key=abs):
            if abs(tick) <= reach and abs(tick - last) >= 2 * reach * CLOSEST_TICKS:
                last = tick
                ticks += [tick]
    if len(ticks) == 1:
        half = math.log1p(float(f"{math.expm1(reach / 1.5):.1g}"))
        ticks += [-half, half]
    return sorted(ticks)


def _percent_tick(value: float) -> str:
    percent = 100 * math.expm1(value)
    return "0" if abs(percent) < 1e-9 else f"{'+' if percent > 0 else '−'}{float(f'{abs(percent):.3g}'):g}%"


def _provenance(report: CompareReport) -> Provenance:
    runs = list(dict.fromkeys(arm.run_id for c in report.comparisons for arm in (c.baseline, c.candidate)))
    compared = " against ".join(shorten(printable(run), 44) for run in reversed(runs[:2]))
    prompts = counts([c.prompts for c in report.comparisons])
    suite = shorten(printable(report.suite), 40)
    return Provenance(
        simulated=report.simulated,
        source=[f"suite {suite}", f"digest {report.suite_digest}", f"run {compared}"],
        facts=[
            f"{interval_note(report.level)}, Holm over {counted(report.family, 'test')}",
            f"paired by prompt, {prompts} prompts",
        ],
    )
