"""Prompt × target heat-map: which prompts fail, and on which prompts targets differ."""

from __future__ import annotations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from harness.analysis.breakdown.prompts import PromptGrid, prompt_grid
from harness.characters import counted, printable
from harness.report.drawing.frame import RunView, draw_message, open_figure
from harness.report.drawing.style import FAINT, GREY, INK, drawable
from harness.report.run.sections import is_graded
from harness.report.section import Cell, Column, Number, Table
from harness.report.wording import shorten

READ = "A dark cell is a prompt that a target gets wrong; a row of unlike cells is a prompt on which targets differ."
MOST_PROMPTS = 30
MOST_LEVEL_LABELS = 4
"""With more targets than this, their names stand upright."""
NAME_CHARACTERS = 34
ROW_IN = 0.2
SHADES = LinearSegmentedColormap.from_list("passed", ["#A63D00", "#F0A878", "#E6F0F7"])
"""From no answer that passed to all of them; lighter is better in grey, too."""


def draw(view: RunView) -> Figure | None:
    """A row for each of the most telling prompts, a column for each target. None: nothing was graded."""
    grid = view.once(_grid)
    if not is_graded(view.summary) or not grid.prompts:
        return None
    if not _failing(grid):
        message = "There is no difference between prompts or targets to show."
        return draw_message(view, title=_title(grid), message=message)
    upright = len(grid.targets) > MOST_LEVEL_LABELS
    names_in = 0.15 + 0.062 * max(len(_name(view, name)) for name in grid.targets) if upright else 0.4
    figure = open_figure(
        view,
        title=_title(grid),
        question=_question(grid),
        body_in=0.3 + names_in + ROW_IN * max(3, len(_shown(grid))),
        legend=_legend(grid),
    )
    axes = figure.subplots()
    _draw_cells(axes, grid)
    _label(axes, view, grid, upright=upright)
    return figure


def table(view: RunView) -> Table | None:
    """A row for each prompt drawn: the share of its answers that passed, by target."""
    grid = view.once(_grid)
    if not is_graded(view.summary) or not _failing(grid):
        return None
    columns = [Column(heading="prompt", is_text=True), *(Column(heading=name) for name in grid.targets)]
    shares = grid.shares
    rows: list[list[Cell]] = [
        [grid.prompts[at], *(None if np.isnan(share) else Number(float(share), "share") for share in shares[at])]
        for at in _shown(grid)
    ]
    return Table(columns=columns, rows=rows)


def describe(view: RunView) -> str:
    """What there is to see, in a sentence or two."""
    grid = view.once(_grid)
    if not grid.prompts:
        return "No answer was graded."
    worst = grid.prompts[0]
    text = f"{_title(grid)}. Share of answers that passed, by prompt and target."
    return text if not _failing(grid) else f"{text} The most telling prompt is {shorten(printable(worst), 60)}."


def _grid(view: RunView) -> PromptGrid:
    return prompt_grid(view.columns, [t.target for t in view.targets])


def _shown(grid: PromptGrid) -> range:
    """The rows drawn: prompts that failed somewhere, which come first."""
    return range(min(MOST_PROMPTS, _failing(grid)))


def _failing(grid: PromptGrid) -> int:
    return int((grid.passed < grid.scored).any(axis=1).sum())


def _title(grid: PromptGrid) -> str:
    prompts, failing, split = len(grid.prompts), _failing(grid), int((grid.spread > 0).sum())
    if not failing:
        return f"Every answer to {counted(prompts, 'prompt')} passed"
    if len(grid.targets) == 1:
        return f"{failing:,} of {counted(prompts, 'prompt')} failed at least once"
    alike = failing - split
    text = f"Targets differ on {split:,} of {counted(prompts, 'prompt')}"
    return f"{text}; {alike:,} more {'fails' if alike == 1 else 'fail'} with all alike" if alike else text


def _question(grid: PromptGrid) -> str:
    order = "those that fail most come first" if len(grid.targets) == 1 else "those on which targets differ most first"
    text = f"Share of a prompt's answers that passed all checks, in percent (blank: all of them); {order}."
    clean, hidden = len(grid.prompts) - _failing(grid), _failing(grid) - len(_shown(grid))
    if hidden:
        text += f" {hidden:,} more that failed somewhere are not shown."
    return f"{text} {clean:,} passed everywhere and {'is' if clean == 1 else 'are'} not shown." if clean else text


def _legend(grid: PromptGrid) -> list[Artist]:
    handles: list[Artist] = [
        Patch(facecolor=SHADES(share), edgecolor=GREY, linewidth=0.5, label=label)
        for share, label in ((0.0, "0: no answer passed"), (0.5, "50: half of them"), (1.0, "blank: all passed"))
    ]
    if (grid.scored == 0).any():
        handles.append(Patch(facecolor="white", edgecolor=GREY, hatch="////", linewidth=0.5, label="not scored"))
    return handles


def _draw_cells(axes: Axes, grid: PromptGrid) -> None:
    shares = grid.shares[: len(_shown(grid))]
    edges = np.arange(len(grid.targets) + 1) - 0.5, np.arange(len(shares) + 1) - 0.5
    axes.pcolormesh(*edges, np.ma.masked_invalid(shares), cmap=SHADES, vmin=0, vmax=1, edgecolors="white", linewidth=1)
    size = 7.5 if len(grid.targets) <= 16 else 5.5
    for (row, column), share in np.ndenumerate(shares):
        if np.isnan(share):
            hatched = Rectangle((column - 0.5, row - 0.5), 1, 1, hatch="////", fill=False, edgecolor=FAINT, linewidth=0)
            axes.add_patch(hatched)
        elif share < 1:
            text, colour = f"{_percent(share)}", "white" if share < 0.3 else INK
            axes.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)


def _percent(share: float) -> int:
    """Rounded, but 0 only where none passed and never 100."""
    return 0 if share == 0 else min(99, max(1, round(100 * share)))


def _label(axes: Axes, view: RunView, grid: PromptGrid, *, upright: bool) -> None:
    prompts = [drawable(shorten(printable(grid.prompts[at]), NAME_CHARACTERS)) for at in _shown(grid)]
    names = [_name(view, name) if upright else view.looks[name].two_lines for name in grid.targets]
    axes.set_xticks(range(len(names)), names, fontsize=7.5, rotation=90 if upright else 0)
    axes.set_yticks(range(len(prompts)), prompts, fontsize=7.5)
    axes.tick_params(length=0, top=False, labeltop=True, labelbottom=False)
    axes.set_xlim(-0.5, max(len(names), MOST_LEVEL_LABELS) - 0.5)
    axes.set_ylim(max(3, len(prompts)) - 0.5, -0.5)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _name(view: RunView, target: str) -> str:
    return view.looks[target].label
