"""TTFT against input length: what a longer prompt costs in time."""

from __future__ import annotations

from harness.analysis.breakdown.lengths import whole_input_tokens
from harness.analysis.metrics import ttft_s
from harness.report.figures.latency.growth import Growth

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

draw, table, describe = GROWTH.draw, GROWTH.table, GROWTH.describe
