"""The figures of a report, in reading order. A new figure is one file and one line here."""

from harness.report.figures.cost import routing
from harness.report.figures.latency import latency_ecdf, percentiles, timeline
from harness.report.figures.load import errors, throughput
from harness.report.figures.quality import quality_cost

FIGURES = {
    "quality_cost": quality_cost,
    "routing": routing,
    "latency_ecdf": latency_ecdf,
    "percentiles": percentiles,
    "throughput": throughput,
    "errors": errors,
    "timeline": timeline,
}
