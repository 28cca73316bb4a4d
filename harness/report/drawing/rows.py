"""Figures with one row a target: their height and their names."""

from __future__ import annotations

from matplotlib.axes import Axes

from harness.report.drawing.view import RunView

ROW_IN = 0.46


def rows_in(targets: int) -> float:
    """Height in inches of axes that give each of `targets` a row."""
    return 1.0 + ROW_IN * max(targets, 1.6)


def label_rows(axes: Axes, view: RunView, *, named: bool = True) -> None:
    """Rows from the top in the view's order, with each target's name in two lines, or without (`named`)."""
    names = [view.look(t).two_lines for t in view.targets]
    axes.set_yticks(range(len(names)), names if named else [""] * len(names), fontsize=8.5)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0, pad=9)
    axes.grid(False, axis="y")
