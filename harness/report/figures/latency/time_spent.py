"""Where the time went: the client's queue, retries, the network, and the service by its own clock."""

from __future__ import annotations

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from harness.analysis.breakdown.times import TIME_PARTS, TimePart, TimeParts, time_parts
from harness.characters import counted
from harness.report.drawing.frame import RunView, draw_message, label_rows, legend_entry, open_figure, rows_in
from harness.report.drawing.scales import scale_from_zero
from harness.report.drawing.style import INK
from harness.report.section import Cell, Column, Name, Number, Table
from harness.report.wording import percent, seconds

READ = "Only the service's pieces are the endpoint's; a long queue is the client's own doing, the rest lies between."
TITLE = "Where did the time go?"
FILLS: dict[TimePart, tuple[str, str]] = {
    "queue": ("#000000", ""),
    "retries": ("#CC79A7", "xxxx"),
    "network": ("#F0E442", "...."),
    "first byte": ("#0072B2", ""),
    "rest": ("#56B4E9", "////"),
    "service": ("#009E73", ""),
    "unknown": ("#BBBBBB", "\\\\\\\\"),
}
LABELS: dict[TimePart, str] = {
    "queue": "queue: due until sent",
    "retries": "earlier attempts and backoff",
    "network": "network and client: the rest of sent until done",
    "first byte": "service until its first byte, by its own clock",
    "rest": "service after its first byte, by its own clock",
    "service": "service, by its own clock",
    "unknown": "sent until done, not told apart",
}


def draw(view: RunView) -> Figure:
    """A bar for each target of the medians of its parts, with a diamond at the median E2E latency."""
    found = view.once(_times)
    if not found:
        return draw_message(view, title=TITLE, message="No request succeeded, so there is no time to break down.")
    figure = open_figure(
        view,
        title=_title(view, found),
        question=_question(view, found),
        body_in=rows_in(len(view.targets)),
        legend=_legend(found),
    )
    axes = figure.subplots()
    _draw_bars(axes, view, found)
    label_rows(axes, view)
    return figure


def table(view: RunView) -> Table | None:
    """A row for each target: the median seconds of each part, and of the whole."""
    found = view.once(_times)
    if not found:
        return None
    parts = _parts(found)
    headings = ["requests", *(LABELS[part] for part in parts), "E2E p50"]
    rows: list[list[Cell]] = []
    for t in view.targets:
        each = found.get(t.target)
        if each is None:
            rows.append([Name(t.target), 0, *([None] * (len(parts) + 1))])
            continue
        values = [*(each.medians.get(part) for part in parts), each.e2e_s]
        rows.append([Name(t.target), each.n, *(None if v is None else Number(v, "s") for v in values)])
    columns = [Column(heading="target", is_text=True), *(Column(heading=heading) for heading in headings)]
    return Table(columns=columns, rows=rows)


def describe(view: RunView) -> str:
    """What there is to see, in a sentence or two."""
    found = view.once(_times)
    if not found:
        return "No request succeeded."
    queue = max(found.values(), key=lambda each: each.medians.get("queue", 0.0))
    slowest = max(found.values(), key=lambda each: each.e2e_s)
    return (
        f"Median seconds by part: the longest median E2E latency is {seconds(slowest.e2e_s)} with "
        f"{view.looks[slowest.target].label}, the longest median queue {seconds(queue.medians.get('queue', 0.0))}."
    )


def _times(view: RunView) -> dict[str, TimeParts]:
    found = {name: time_parts(c) for name, c in view.columns.items()}
    return {name: each for name, each in found.items() if each is not None}


def _parts(found: dict[str, TimeParts]) -> list[TimePart]:
    return [part for part in TIME_PARTS if any(part in each.medians for each in found.values())]


def _title(view: RunView, found: dict[str, TimeParts]) -> str:
    told = {n: e.medians for n, e in found.items() if "unknown" not in e.medians}
    if not told:
        return TITLE
    served = {
        name: sum(medians.get(part, 0.0) for part in ("first byte", "rest", "service")) / found[name].e2e_s
        for name, medians in told.items()
        if found[name].e2e_s
    }
    least = min(served, key=lambda name: served[name])
    if len(served) == 1:
        return f"{percent(min(1.0, served[least]))} of the time is the service's own"
    return f"The service's own time is at least {percent(min(1.0, served[least]))} of the median E2E latency"


def _question(view: RunView, found: dict[str, TimeParts]) -> str:
    text = "Median of each part over answered requests. Medians need not add up to the median of the whole."
    untold = sum("unknown" in each.medians for each in found.values())
    if untold:
        which = "No endpoint" if untold == len(found) else f"The endpoint of {counted(untold, 'target')}"
        gives = "gives" if untold == len(found) else "does not give"
        text += f" {which} {gives} a time of its own, so network and service are one there."
    partly = sum(each.n < each.successes for each in found.values())
    return f"{text} Of {counted(partly, 'target')}, only answers with the service's time count." if partly else text


def _legend(found: dict[str, TimeParts]) -> list[Artist]:
    handles: list[Artist] = [
        Patch(facecolor=FILLS[part][0], hatch=FILLS[part][1], edgecolor="white", label=LABELS[part])
        for part in _parts(found)
    ]
    diamond = legend_entry("median E2E latency", color=INK, marker="D", markersize=5, markerfacecolor="white")
    return [*handles, diamond]


def _draw_bars(axes: Axes, view: RunView, found: dict[str, TimeParts]) -> None:
    ends = [0.0]
    for y, t in enumerate(view.targets):
        each, end = found.get(t.target), 0.0
        if each is None:
            axes.annotate("none answered", (0, y), (6, 0), textcoords="offset points", va="center", fontsize=8.5)
            continue
        for part, value in each.medians.items():
            colour, hatch = FILLS[part]
            length = max(0.0, value)
            axes.barh(y, length, left=end, height=0.62, color=colour, hatch=hatch, edgecolor="white", linewidth=0.6)
            end += length
        axes.plot([each.e2e_s], [y], "D", color=INK, markersize=5, markerfacecolor="white")
        end = max(end, each.e2e_s)
        axes.annotate(_note(each), (end, y), (8, 0), textcoords="offset points", va="center", fontsize=8.5)
        ends.append(end)
    scale_from_zero(axes, max(ends) * 1.2, "median seconds")


def _note(each: TimeParts) -> str:
    own = {part: each.medians[part] for part in ("queue", "network") if part in each.medians}
    words = ", ".join(f"{part} {1000 * value:.3g} ms" for part, value in own.items())
    return f"{seconds(each.e2e_s)} ({words})"
