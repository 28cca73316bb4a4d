"""The metrics of a run: histograms over its measured requests by the conventions, and a gauge for each figure."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterator, Sequence

import msgspec
from opentelemetry.sdk.environment_variables import OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.resources import Resource

from harness.analysis.summary.summary import RunSummary
from harness.characters import printable
from harness.report.export.exporter import UNITS, target_values
from harness.report.export.otlp.rows import Row
from harness.report.export.otlp.spans import SCOPE, Attributes, operation
from harness.store.records import REPEATED

DURATION = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = tuple(4.0**power for power in range(14))
FIRST_TOKEN = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
PER_TOKEN = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
METRICS: dict[str, tuple[str, str, Sequence[float]]] = {
    "gen_ai.client.operation.duration": ("s", "From when a request was due to its end, retries included.", DURATION),
    "gen_ai.client.token.usage": ("{token}", "Tokens of a request, by gen_ai.token.type.", TOKENS),
    "gen_ai.client.operation.time_to_first_chunk": ("s", "From when a request was due to its first content.", DURATION),
    "gen_ai.server.time_to_first_token": ("s", "From sent to first content, as the client sees it.", FIRST_TOKEN),
    "gen_ai.server.time_per_output_token": ("s", "After the first token, as the client sees it.", PER_TOKEN),
}
"""Name → unit, description, and the bounds of buckets that the conventions give."""


class _Counts(msgspec.Struct):
    attributes: Attributes
    buckets: list[int]
    total: float = 0.0
    low: float = float("inf")
    high: float = float("-inf")


class Histograms:
    """Counts requests one after the other."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str], _Counts] = {}
        self.first_ns: int | None = None
        self.last_ns = 0

    def add(self, attempts: Sequence[Row]) -> None:
        """Count a request, unless it is of the warm-up or was cancelled. `attempts`: in order."""
        first, row = attempts[0], attempts[-1]
        if row.phase != "measure" or row.error_kind in REPEATED:
            return
        self.first_ns = first.due_ns if self.first_ns is None else min(self.first_ns, first.due_ns)
        self.last_ns = max(self.last_ns, row.end_ns)
        failed = {} if row.ok else {"error.type": printable(row.error_kind or "_OTHER")}
        self._count("gen_ai.client.operation.duration", row, (row.end_ns - first.due_ns) / 1e9, failed)
        if row.input_tokens is not None:
            cached = (row.cache_read_tokens or 0) + (row.cache_write_tokens or 0)
            self._count("gen_ai.client.token.usage", row, row.input_tokens + cached, {"gen_ai.token.type": "input"})
        if row.output_tokens is not None:
            self._count("gen_ai.client.token.usage", row, row.output_tokens, {"gen_ai.token.type": "output"})
        if row.ok and row.stream and row.first_ns is not None and row.sent_ns is not None:
            self._count("gen_ai.client.operation.time_to_first_chunk", row, (row.first_ns - first.due_ns) / 1e9, {})
            self._count("gen_ai.server.time_to_first_token", row, (row.first_ns - row.sent_ns) / 1e9, {})
            if row.last_ns is not None and row.last_ns > row.first_ns and (row.output_tokens or 0) >= 2:
                each_s = (row.last_ns - row.first_ns) / 1e9 / ((row.output_tokens or 0) - 1)
                self._count("gen_ai.server.time_per_output_token", row, each_s, {})

    def _count(self, name: str, row: Row, value: float, more: dict[str, str]) -> None:
        key = (name, row.target, next(iter(more.values()), ""))
        counts = self._counts.get(key)
        if counts is None:
            buckets = [0] * (len(METRICS[name][2]) + 1)
            counts = self._counts[key] = _Counts(attributes={**operation(row), **more}, buckets=buckets)
        counts.buckets[bisect_left(METRICS[name][2], value)] += 1
        counts.total += value
        counts.low, counts.high = min(counts.low, value), max(counts.high, value)

    def metrics(self, start_ns: int, end_ns: int) -> Iterator[Metric]:
        """The histograms. Times: of the run, Unix ns."""
        wanted = os.environ.get(OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE, "").strip().lower()
        delta, cumulative = AggregationTemporality.DELTA, AggregationTemporality.CUMULATIVE
        for name, (unit, text, bounds) in METRICS.items():
            points = [
                HistogramDataPoint(
                    attributes=each.attributes,
                    start_time_unix_nano=start_ns,
                    time_unix_nano=end_ns,
                    count=sum(each.buckets),
                    sum=each.total,
                    bucket_counts=each.buckets,
                    explicit_bounds=bounds,
                    min=each.low,
                    max=each.high,
                )
                for (metric, _, _), each in self._counts.items()
                if metric == name
            ]
            if points:
                data = Histogram(data_points=points, aggregation_temporality=delta if wanted == "delta" else cumulative)
                yield Metric(name=name, description=text, unit=unit, data=data)


def gauges(summary: RunSummary, start_ns: int, end_ns: int) -> Iterator[Metric]:
    """The figures of the report: `harness.pass_rate`, `harness.ttft_p95`, …; one point a target."""
    points: dict[str, list[NumberDataPoint]] = {}
    units: dict[str, tuple[str, str]] = {}
    for each in target_values(summary):
        attributes = {"harness.target": printable(each.target.target)}
        value = each.figure.value * each.scale
        point = NumberDataPoint(attributes, start_ns, end_ns, value)
        points.setdefault(each.metric.key, []).append(point)
        units[each.metric.key] = each.metric.label, UNITS[each.metric.unit]
    for key, values in points.items():
        text, unit = units[key]
        yield Metric(name=f"harness.{key}", description=text, unit=unit, data=Gauge(data_points=values))


def metrics_data(metrics: Sequence[Metric], resource: Resource) -> MetricsData:
    """The metrics as the exporter takes them."""
    scope = ScopeMetrics(scope=SCOPE, metrics=metrics, schema_url="")
    return MetricsData([ResourceMetrics(resource=resource, scope_metrics=[scope], schema_url="")])
