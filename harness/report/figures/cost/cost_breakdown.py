"""Cost breakdown: what a target's input, output and cache cost, and the premium of its endpoint."""

from __future__ import annotations

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from harness.analysis.breakdown.costs import COST_PARTS, CostPart, CostParts, cost_parts
from harness.analysis.summary.summary import TargetSummary
from harness.report.drawing.frame import RunView, draw_message, label_rows, open_figure, rows_in
from harness.report.drawing.scales import scale_from_zero
from harness.report.section import Cell, Column, Name, Number, Table
from harness.report.wording import percent, usd

READ = (
    "The longest piece of a bar is what to save on; the premium is what a regional endpoint adds to the global price."
)
TITLE = "What does the money buy?"
FILLS: dict[CostPart, tuple[str, str]] = {
    "input": ("#0072B2", ""),
    "output": ("#E69F00", ""),
    "cache read": ("#56B4E9", "////"),
    "cache write": ("#009E73", "...."),
    "regional premium": ("#CC79A7", "xxxx"),
    "other": ("#BBBBBB", "\\\\\\\\"),
}
LABELS: dict[CostPart, str] = {"other": "earlier attempts, or of a price not on record"}


def draw(view: RunView) -> Figure | None:
    """A stacked bar for each target, per 1,000 requests, with its total. None: the run is not at hand."""
    if view.run is None:
        return None
    found = view.once(_costs)
    if not found:
        return draw_message(view, title=TITLE, message="No target has a known cost, so there is nothing to break down.")
    figure = open_figure(
        view,
        title=_title(list(found.values())),
        question=_question(view, found),
        body_in=rows_in(len(view.targets)),
        legend=_legend(found),
    )
    axes = figure.subplots()
    _draw_bars(axes, view, found)
    label_rows(axes, view)
    return figure


def table(view: RunView) -> Table | None:
    """A row for each target: the total and its parts, USD per 1,000 requests."""
    found = {} if view.run is None else view.once(_costs)
    if not found:
        return None
    parts = _parts(found)
    columns = [Column(heading="target", is_text=True), Column(heading="total", best="low"), *map(_column, parts)]
    rows: list[list[Cell]] = []
    for t in view.targets:
        cost = found.get(t.target)
        values = (
            [None] * (len(parts) + 1) if cost is None else [cost.total_usd, *(cost.parts.get(p, 0.0) for p in parts)]
        )
        rows.append([Name(t.target), *(None if value is None else Number(value, "usd") for value in values)])
    return Table(columns=columns, rows=rows)


def describe(view: RunView) -> str:
    """What there is to see, in a sentence or two."""
    found = {} if view.run is None else view.once(_costs)
    if not found:
        return "No cost is known."
    cheap, dear = (choose(found.values(), key=lambda each: each.total_usd) for choose in (min, max))
    text = f"Cost per 1,000 requests by part: {usd(cheap.total_usd)} with {view.looks[cheap.target].label}"
    return (
        f"{text}, up to {usd(dear.total_usd)} with {view.looks[dear.target].label}."
        if cheap is not dear
        else f"{text}."
    )


def _costs(view: RunView) -> dict[str, CostParts]:
    """Of the targets whose cost is known."""
    if view.run is None:
        return {}
    found = {t.target: cost_parts(view.run, t.target) for t in view.targets if t.target in view.columns}
    return {name: each for name, each in found.items() if each is not None}


def _column(part: CostPart) -> Column:
    return Column(heading=LABELS.get(part, part))


def _parts(found: dict[str, CostParts]) -> list[CostPart]:
    return [part for part in COST_PARTS if any(part in each.parts for each in found.values())]


def _title(found: list[CostParts]) -> str:
    total = sum(each.total_usd for each in found)
    if not total:
        return TITLE
    shares = {part: sum(each.parts.get(part, 0.0) for each in found) / total for part in COST_PARTS}
    largest = max(shares, key=lambda part: shares[part])
    return f"{percent(shares[largest])} of the cost is {LABELS.get(largest, largest)}"


def _question(view: RunView, found: dict[str, CostParts]) -> str:
    text = "Cost of an answered request as in the summary, times 1,000, at the prices on the day of the run."
    if any("regional premium" in each.parts for each in found.values()):
        text += " Tokens are at the global endpoint's price; the premium is what the region adds."
    untold = sum(not each.premium_known for each in found.values())
    if untold:
        text += f" Of {untold} of {len(found)} targets the premium is not told apart: no global price."
    unknown = len(view.targets) - len(found)
    return f"{text} {unknown} of {len(view.targets)} targets have no known cost." if unknown else text


def _legend(found: dict[str, CostParts]) -> list[Artist]:
    return [
        Patch(facecolor=FILLS[part][0], hatch=FILLS[part][1], edgecolor="white", label=LABELS.get(part, part))
        for part in _parts(found)
    ]


def _draw_bars(axes: Axes, view: RunView, found: dict[str, CostParts]) -> None:
    most = max(each.total_usd for each in found.values())
    for y, t in enumerate(view.targets):
        cost, end = found.get(t.target), 0.0
        for part, value in cost.parts.items() if cost else ():
            colour, hatch = FILLS[part]
            axes.barh(y, value, left=end, height=0.62, color=colour, hatch=hatch, edgecolor="white", linewidth=0.8)
            end += value
        axes.annotate(_note(t, cost), (end, y), (6, 0), textcoords="offset points", va="center", fontsize=8.5)
    scale_from_zero(axes, most * 1.1, "USD per 1,000 requests")


def _note(t: TargetSummary, cost: CostParts | None) -> str:
    if cost is None:
        return "no known cost" if t.succeeded else "none answered"
    premium = cost.parts.get("regional premium")
    return usd(cost.total_usd) + (f", premium {usd(premium)}" if premium else "")
