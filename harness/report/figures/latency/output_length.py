"""E2E latency against output length: what a longer answer costs in time."""

from __future__ import annotations

from matplotlib.figure import Figure

from harness.analysis.columns import Columns, Floats
from harness.analysis.metrics import e2e_s
from harness.report.drawing.frame import RunView
from harness.report.figures.latency.growth import (
    Growth,
    Points,
    collect,
    describe_growth,
    draw_growth,
    growth_table,
)
from harness.report.section import Table

READ = "The line is the typical E2E latency at each answer's length; a flatter one is a faster stream."


def output_tokens(c: Columns) -> Floats:
    """Output tokens of each request; NaN where unknown."""
    return c.output_tokens


GROWTH = Growth(
    title="What does a longer answer cost in time?",
    latency="E2E latency",
    length="output tokens",
    lengths=output_tokens,
    latencies=e2e_s,
    per=100,
    unit="s",
)


def draw(view: RunView) -> Figure | None:
    """A panel for each target: E2E latency by output tokens. None: all are much alike."""
    return draw_growth(view, GROWTH, view.once(_points))


def table(view: RunView) -> Table | None:
    """A row for each target: its slope with the interval."""
    return growth_table(view, GROWTH, view.once(_points))


def describe(view: RunView) -> str:
    """What there is to see, in a sentence."""
    return describe_growth(view, GROWTH, view.once(_points))


def _points(view: RunView) -> dict[str, Points]:
    return collect(view, GROWTH)
