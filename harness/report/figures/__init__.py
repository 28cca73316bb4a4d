"""The figures of a report, in reading order. A new figure is one file and one line here."""

from harness.report.figures.cost import cost_breakdown, routing
from harness.report.figures.latency import (
    client_overhead,
    input_length,
    latency_ecdf,
    output_length,
    percentiles,
    time_spent,
    timeline,
)
from harness.report.figures.load import errors, errors_over_time, offered_load, throughput
from harness.report.figures.quality import prompt_heatmap, quality_cost

FIGURES = {
    "quality_cost": quality_cost,
    "prompt_heatmap": prompt_heatmap,
    "cost_breakdown": cost_breakdown,
    "routing": routing,
    "latency_ecdf": latency_ecdf,
    "percentiles": percentiles,
    "time_spent": time_spent,
    "input_length": input_length,
    "output_length": output_length,
    "client_overhead": client_overhead,
    "throughput": throughput,
    "offered_load": offered_load,
    "errors": errors,
    "errors_over_time": errors_over_time,
    "timeline": timeline,
}
