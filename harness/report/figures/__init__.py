"""The figures of a report, in reading order. A new figure is one file and one line here."""

from harness.report.figures import errors, latency_ecdf, percentiles, quality_cost, routing, throughput, timeline

FIGURES = {
    "quality_cost": quality_cost,
    "routing": routing,
    "latency_ecdf": latency_ecdf,
    "percentiles": percentiles,
    "throughput": throughput,
    "errors": errors,
    "timeline": timeline,
}
