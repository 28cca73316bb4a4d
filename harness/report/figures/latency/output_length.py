"""E2E latency against output length: what a longer answer costs in time."""

from __future__ import annotations

from harness.analysis.columns import Columns, Floats
from harness.analysis.metrics import e2e_s
from harness.report.figures.latency.growth import Growth

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

draw, table, describe = GROWTH.draw, GROWTH.table, GROWTH.describe
