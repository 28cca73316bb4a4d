"""SDK overhead: how much later the same model answers through one client than through another."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.analysis.breakdown.clients import LATENCIES, ClientOverhead, client_overheads
from harness.analysis.stats.interval import LEVEL, Effect, holm
from harness.characters import printable
from harness.report.drawing.frame import RunView, legend_entry, open_figure, rows_in
from harness.report.drawing.style import GREY, drawable
from harness.report.section import Cell, Column, Name, Number, Table
from harness.report.wording import MINUS, significant

READ = "Right of zero, the client makes answers later; an interval that holds zero shows no overhead."
MANY = 5
FACES = {"p50": 0.13, "p95": -0.13}
"""How far above its row each quantile is drawn."""


def draw(view: RunView) -> Figure | None:
    """A row for each client and its counterpart. None: no two targets differ in the client alone."""
    found = view.once(_overheads)
    if not found:
        return None
    names = [name for name in LATENCIES if any(key[0] == name for each in found for key in each.differences)]
    figure = open_figure(
        view,
        title=_title(found),
        question="Difference of latency quantiles, from due, over the prompts answered through both clients."
        + (f" Of {len(found)} rows, an interval may miss zero by chance." if len(found) > MANY else ""),
        body_in=rows_in(len(found)),
        intervals="time-blocks, as in a comparison",
        legend=_legend(found),
    )
    for at, (axes, name) in enumerate(zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True)):
        _draw_panel(axes, view, found, name)
        _label(axes, view, found if at == 0 else [])
    return figure


def table(view: RunView) -> Table | None:
    """A row for each client and its counterpart: the differences drawn."""
    found = view.once(_overheads)
    if not found:
        return None
    keys = sorted({key for each in found for key in each.differences}, key=lambda key: (key[0] != "TTFT", key[1]))
    columns = [
        Column(heading="target", is_text=True),
        Column(heading="against", is_text=True),
        Column(heading="requests"),
        *(Column(heading=f"{name} {which}, difference") for name, which in keys),
    ]
    rows: list[list[Cell]] = []
    for each in found:
        cells = [_number(each.differences.get(key)) for key in keys]
        rows.append([Name(each.target), Name(each.reference), each.n, *cells])
    return Table(columns=columns, rows=rows)


def describe(view: RunView) -> str:
    """What there is to see, in a sentence or two."""
    found = view.once(_overheads)
    return f"{_title(found)}. Differences of TTFT and E2E latency between clients." if found else ""


def _overheads(view: RunView) -> list[ClientOverhead]:
    shown = {t.target for t in view.targets}
    targets = () if view.run is None else view.run.suite.targets
    return client_overheads([each for each in targets if each.name in shown], view.columns)


def _number(effect: Effect | None) -> Number | None:
    if effect is None:
        return None
    return Number(effect.estimate, "ms", effect.low, effect.high, bounded=True, signed=True)


def _title(found: Sequence[ClientOverhead]) -> str:
    """Names the slowest client at the median TTFT, where it is slower beyond chance after Holm's correction."""
    effects = [(each, effect) for each in found if (effect := each.differences.get(("TTFT", "p50")))]
    if not effects:
        return "What does an SDK cost?"
    p_values = holm([1.0 if effect.p_value is None else effect.p_value for _, effect in effects])
    slower = [pair for pair, p in zip(effects, p_values, strict=True) if p < 1 - LEVEL and pair[1].estimate > 0]
    if not slower:
        return "No client is shown to be slower than another at the median TTFT"
    each, worst = max(slower, key=lambda pair: pair[1].estimate)
    return (
        f"{printable(each.client)} adds {_ms(worst.estimate)} to the median TTFT of {printable(each.reference_client)}"
    )


def _ms(value_s: float) -> str:
    return f"{MINUS if value_s < 0 else ''}{significant(abs(1000 * value_s))} ms"


def _legend(found: Sequence[ClientOverhead]) -> list[Artist]:
    shown = [which for which in FACES if any(key[1] == which for each in found for key in each.differences)]
    handles: list[Artist] = [
        legend_entry(which, color=GREY, marker="o", markersize=6, markerfacecolor=GREY if which == "p50" else "white")
        for which in shown
    ]
    if any(None in (effect.low, effect.high) for each in found for effect in each.differences.values()):
        handles.append(legend_entry("no bound on this side", color=GREY, linestyle=":"))
    return handles


def _draw_panel(axes: Axes, view: RunView, found: Sequence[ClientOverhead], name: str) -> None:
    drawn = [(key[1], effect) for each in found for key, effect in each.differences.items() if key[0] == name]
    bounds = [1000 * v for _, e in drawn for v in (e.estimate, e.low, e.high) if v is not None]
    low, high = min(0.0, *bounds), max(0.0, *bounds)
    room = 0.12 * ((high - low) or 1.0)
    axes.set_xlim(low - room, high + 3 * room)
    axes.axvline(0, color=GREY, linewidth=1)
    for y, each in enumerate(found):
        for which, lift in FACES.items():
            effect = each.differences.get((name, which))
            if effect is not None:
                _draw_effect(axes, view, each, effect, y - lift * ((name, "p95") in each.differences), which)
    axes.locator_params(axis="x", nbins=6)
    axes.set_xlabel("ms later")
    axes.set_title("E2E latency" if name == "E2E" else name)


def _draw_effect(axes: Axes, view: RunView, each: ClientOverhead, effect: Effect, y: float, which: str) -> None:
    look, (left, right) = view.looks[each.target], axes.get_xlim()
    middle = 1000 * effect.estimate
    for bound, edge in ((effect.low, left), (effect.high, right)):
        end, line = (edge, ":") if bound is None else (1000 * bound, "-")
        axes.plot([middle, end], [y, y], color=look.colour, linestyle=line, linewidth=2, solid_capstyle="butt")
    face = look.colour if which == "p50" else "white"
    axes.plot([middle], [y], look.marker, color=look.colour, markerfacecolor=face, markersize=7)
    text = f"{'+' if middle > 0 else ''}{_ms(effect.estimate)}"
    end = right if effect.high is None else 1000 * effect.high
    axes.annotate(text, (end, y), (6, 0), textcoords="offset points", va="center", fontsize=8, annotation_clip=False)


def _label(axes: Axes, view: RunView, found: Sequence[ClientOverhead]) -> None:
    labels = [
        f"{view.looks[each.target].two_lines}\n{MINUS} {drawable(printable(each.reference_client))}" for each in found
    ]
    count = len(view.once(_overheads))
    axes.set_yticks(range(count), labels or [""] * count, fontsize=8)
    axes.set_ylim(count - 0.5, -0.5)
    axes.tick_params(axis="y", length=0, pad=9)
    axes.grid(False, axis="y")
