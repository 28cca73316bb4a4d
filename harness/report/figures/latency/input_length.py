"""TTFT against input length: what a longer prompt costs in time."""

from __future__ import annotations

from matplotlib.figure import Figure

from harness.analysis.breakdown.lengths import whole_input_tokens
from harness.analysis.metrics import ttft_s
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

READ = "The line is the typical TTFT at each input length; its slope is the price in time of a longer prompt."
GROWTH = Growth(
    title="What does a longer prompt cost in time to first token?",
    latency="TTFT",
    length="input tokens",
    lengths=whole_input_tokens,
    latencies=ttft_s,
    per=1000,
    unit="ms",
)


def draw(view: RunView) -> Figure | None:
    """A panel for each target that streams: TTFT by input tokens, cached ones included. None: all are much alike."""
    return draw_growth(view, GROWTH, view.once(_points))


def table(view: RunView) -> Table | None:
    """A row for each target: its slope with the interval."""
    return growth_table(view, GROWTH, view.once(_points))


def describe(view: RunView) -> str:
    """What there is to see, in a sentence."""
    return describe_growth(view, GROWTH, view.once(_points))


def _points(view: RunView) -> dict[str, Points]:
    return collect(view, GROWTH)
