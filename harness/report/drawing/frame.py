"""The frame of every figure: title and question above, legend and provenance below, SIMULATED if the run was."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from harness.analysis.columns import Columns
from harness.analysis.compare.pairing import FinishedRun
from harness.analysis.metrics import METRICS
from harness.analysis.summary.summary import RunSummary, TargetSummary, Winner
from harness.characters import printable
from harness.report.drawing.style import BAND, GREY, SIMULATED_BADGE, SIMULATED_BAND, Look, assign_looks, drawable
from harness.report.drawing.words import NAME_CHARACTERS
from harness.report.wording import SIMULATED, SIMULATED_NOTE, counts, date_of, interval_note, shorten, simulated_title

T = TypeVar("T")

WIDTH_IN = 10.0
MARGIN_IN = 0.16
TITLE_IN = 0.25
QUESTION_IN = 0.19
FOOTER_IN = 0.5
LEGEND_ROW_IN = 0.2
LEGEND_CHARACTERS = {2: 72, 3: 50}
"""Columns of a legend → the longest entry that fits. A longer one has a row of its own below."""
MANY_ENTRIES = 12
"""From this many on, a legend has three columns if its entries fit."""
TITLE_CHARACTERS = 82
QUESTION_CHARACTERS = 150
ROW_IN = 0.46
"""Height of a target's row, in inches."""


@dataclass(frozen=True, kw_only=True)
class RunView:
    """A run, ready to be drawn. `columns` may lack a target without measured requests."""

    summary: RunSummary
    columns: Mapping[str, Columns]
    looks: Mapping[str, Look]
    run: FinishedRun | None = None
    """Its manifest, suite and attempts, from which some figures compute more; None: these are not drawn."""
    computed: dict[Callable[[RunView], Any], Any] = field(default_factory=dict, compare=False)

    def once(self, compute: Callable[[RunView], T]) -> T:
        """`compute(view)`, computed once for a figure, its table and its description."""
        if compute not in self.computed:
            self.computed[compute] = compute(self)
        found: T = self.computed[compute]
        return found

    @property
    def targets(self) -> list[TargetSummary]:
        """In the suite's order, but with the targets of each model side by side."""
        models = [t.base_model for t in self.summary.targets]
        return sorted(self.summary.targets, key=lambda t: models.index(t.base_model))

    def look(self, target: TargetSummary) -> Look:
        return self.looks[target.target]

    def winner(self, metric: str) -> Winner | None:
        """The leader on `metric`, a key of METRICS; None if the summary names none."""
        return next((w for w in self.summary.winners if w.metric == METRICS[metric].label), None)

    def leading(self, winner: Winner | None) -> str | None:
        """The leader and the rivals too close to call, for a title; None if all of them are too close."""
        if winner is None or len(winner.close) == winner.rivals:
            return None
        names = [self.looks[name].label for name in (winner.target, *winner.close)]
        return " and ".join(names if len(names) < 3 else [names[0], f"{len(names) - 1} others"])


def make_view(summary: RunSummary, columns: Mapping[str, Columns], run: FinishedRun | None = None) -> RunView:
    """Assign a look to each target of a run."""
    return RunView(summary=summary, columns=columns, looks=assign_looks(summary.targets), run=run)


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """The two lines of a figure's footer: where its data comes from, and the facts needed to read it."""

    simulated: bool
    source: Sequence[str]
    facts: Sequence[str]


def open_figure(
    view: RunView, *, title: str, question: str, body_in: float, intervals: str = "", legend: Sequence[Artist] = ()
) -> Figure:
    """`open_frame` for a figure of one run. `intervals` names the method behind the error bars, if there are any."""
    return open_frame(_provenance(view, intervals), title=title, question=question, body_in=body_in, legend=legend)


def open_frame(
    about: Provenance, *, title: str, question: str, body_in: float, legend: Sequence[Artist] = ()
) -> Figure:
    """A figure with its frame drawn. Axes added to it fill the body, which is `body_in` inches high.

    The figure's label holds the title, for alt text.
    """
    titles = textwrap.wrap(drawable(title), TITLE_CHARACTERS, break_on_hyphens=False)
    questions = textwrap.wrap(drawable(question), QUESTION_CHARACTERS)
    header_in = MARGIN_IN + TITLE_IN * len(titles) + QUESTION_IN * len(questions) + 0.1
    short, long = _split_legend(legend)
    columns = _legend_columns(short)
    rows = math.ceil(len(short) / columns)
    legend_in = LEGEND_ROW_IN * (rows + len(long)) + 0.1
    height_in = header_in + body_in + legend_in + FOOTER_IN
    figure = Figure(figsize=(WIDTH_IN, height_in))
    FigureCanvasAgg(figure)
    figure.set_label(simulated_title(title, about.simulated))
    _draw_header(figure, titles, questions)
    _draw_footer(figure, about)
    if about.simulated:
        _draw_badge(figure)
    if short:
        _draw_legend(figure, short, columns, above_in=LEGEND_ROW_IN * len(long))
    if long:
        _draw_legend(figure, long, 1)
    body = (0.012, (FOOTER_IN + legend_in) / height_in, 0.976, body_in / height_in)
    figure.set_layout_engine(ConstrainedLayoutEngine(rect=body, h_pad=0.05, w_pad=0.05))
    return figure


def legend_entry(label: str, **style: Any) -> Line2D:
    """A legend entry for something that is not a target; `style` as for a Line2D."""
    return Line2D([], [], label=drawable(label), **{"linestyle": "none", **style})


def target_handle(view: RunView, target: TargetSummary, note: str = "", *, line: bool = True) -> Line2D:
    """A target's legend entry: its name, then `note`. `line`: show its line as well as its marker."""
    look = view.look(target)
    return Line2D(
        [],
        [],
        color=look.colour,
        linestyle=look.line if line else "none",
        marker=look.marker,
        markersize=6,
        label=f"{look.label}  {note}".rstrip(),
    )


def draw_message(view: RunView, *, title: str, message: str) -> Figure:
    """A low figure with a message in place of axes, for a run without data to draw."""
    figure = open_figure(view, title=title, question="", body_in=1.2)
    axes = figure.subplots()
    axes.set_axis_off()
    text = "\n".join(textwrap.wrap(drawable(message), 80))
    axes.text(0.5, 0.5, text, ha="center", va="center", fontsize=12, color=GREY, transform=axes.transAxes)
    return figure


def rows_in(targets: int) -> float:
    """Height in inches of axes with a row for each of `targets`."""
    return 1.0 + ROW_IN * max(targets, 1.6)


def label_rows(
    axes: Axes, view: RunView, targets: Sequence[TargetSummary] | None = None, *, named: bool = True
) -> None:
    """One row for each target (default: all), from the top. `named`: label each with the target's name in two lines."""
    names = [view.look(t).two_lines for t in targets or view.targets]
    axes.set_yticks(range(len(names)), names if named else [""] * len(names), fontsize=8.5)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0, pad=9)
    axes.grid(False, axis="y")


def _draw_header(figure: Figure, titles: Sequence[str], questions: Sequence[str]) -> None:
    height_in = figure.get_figheight()
    left = MARGIN_IN / WIDTH_IN
    top = 1 - MARGIN_IN / height_in
    title = figure.text(left, top, "\n".join(titles), fontsize=13, fontweight="bold", va="top", linespacing=1.15)
    _fit_width(figure, title, WIDTH_IN - 2 * MARGIN_IN - 1.3)
    below = top - TITLE_IN * len(titles) / height_in
    text = figure.text(left, below, "\n".join(questions), fontsize=9, color=GREY, va="top", linespacing=1.25)
    _fit_width(figure, text, WIDTH_IN - 2 * MARGIN_IN)


def _draw_footer(figure: Figure, about: Provenance) -> None:
    height = FOOTER_IN / figure.get_figheight()
    band = SIMULATED_BAND if about.simulated else BAND
    figure.add_artist(Rectangle((0, 0), 1, height, transform=figure.transFigure, color=band, linewidth=0, zorder=-1))
    for i, parts in enumerate((about.source, [SIMULATED_NOTE] * about.simulated + [*about.facts])):
        line = drawable("  ·  ".join(map(printable, parts)))
        text = figure.text(MARGIN_IN / WIDTH_IN, height * (0.7 - 0.42 * i), line, fontsize=7.5, color=GREY, va="center")
        _fit_width(figure, text, WIDTH_IN - 2 * MARGIN_IN)


def _provenance(view: RunView, intervals: str) -> Provenance:
    s = view.summary
    suite, run_id = (shorten(printable(name), NAME_CHARACTERS) for name in (s.suite, s.run_id))
    requests = [t.requests for t in s.targets]
    n = f"n per target: {counts(requests)} request{'' if set(requests) == {1} else 's'}"
    facts = [n, f"{interval_note(s.level)} ({intervals})"] if intervals else [n]
    facts.append(f"{shorten(printable(s.arrival), 20)} arrivals at {shorten(printable(s.endpoint), 40)}")
    source = [f"suite {suite}", f"digest {s.suite_digest}", date_of(s.started_utc), f"run {run_id}"]
    return Provenance(simulated=s.simulated, source=source, facts=facts)


def _split_legend(legend: Sequence[Artist]) -> tuple[list[Artist], list[Artist]]:
    """The entries that fit into columns, and those that are too long for it."""
    for columns in (3, 2):
        short = [handle for handle in legend if len(str(handle.get_label())) <= LEGEND_CHARACTERS[columns]]
        if len(short) >= MANY_ENTRIES:
            break
    return short, [handle for handle in legend if handle not in short]


def _legend_columns(legend: Sequence[Artist]) -> int:
    """`legend`: its short entries."""
    longest = max((len(str(handle.get_label())) for handle in legend), default=0)
    if len(legend) >= MANY_ENTRIES and longest <= LEGEND_CHARACTERS[3]:
        return 3
    return min(2, len(legend) or 1)


def _draw_legend(figure: Figure, legend: Sequence[Artist], columns: int, *, above_in: float = 0.0) -> None:
    """`above_in`: the height of another legend below it."""
    drawn = figure.legend(
        handles=list(legend),
        loc="lower left",
        bbox_to_anchor=(MARGIN_IN / WIDTH_IN, (FOOTER_IN + 0.04 + above_in) / figure.get_figheight()),
        borderaxespad=0,
        borderpad=0,
        ncols=columns,
        handlelength=3.4,
        columnspacing=2.5,
        labelspacing=0.45,
    )
    drawn.set_in_layout(False)


def _draw_badge(figure: Figure) -> None:
    figure.text(
        1 - MARGIN_IN / WIDTH_IN,
        1 - MARGIN_IN / figure.get_figheight(),
        SIMULATED,
        fontsize=9.5,
        fontweight="bold",
        color="white",
        ha="right",
        va="top",
        bbox={"boxstyle": "round,pad=0.35", "facecolor": SIMULATED_BADGE, "edgecolor": "none"},
    )


def _fit_width(figure: Figure, text: Text, width_in: float) -> None:
    """Shrink `text` to at most `width_in` inches."""
    text.set_in_layout(False)
    drawn_in = text.get_window_extent().width / figure.dpi
    if drawn_in > width_in:
        text.set_fontsize(0.99 * float(text.get_fontsize()) * width_in / drawn_in)
