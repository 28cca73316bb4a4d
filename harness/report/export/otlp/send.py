"""Sends a run to an OpenTelemetry collector over OTLP/HTTP, as the OTEL_EXPORTER_OTLP_* variables say."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.analysis.past_runs import StoredRun
from harness.characters import counted, printable
from harness.errors import HarnessError
from harness.report.export.exporter import Exported, ExportOptions
from harness.secrets import redact, remember_environment
from harness.store.opening import open_run

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

BATCH = 512
"""Spans in one request, as in OpenTelemetry's own batches."""
PROGRESS = 20_000
"""Requests between two lines of progress."""


def export_otlp(run: StoredRun, options: ExportOptions) -> Exported:
    """Send a span for each request, then the metrics. HarnessError: the extra is missing, or the collector refuses."""
    try:
        import opentelemetry.exporter.otlp.proto.http  # noqa: F401
    except ImportError:
        how = "in a clone of harness, `pip install -c constraints.txt '.[otel]'` installs it"
        raise HarnessError(f"--to otlp: needs OpenTelemetry's exporter; {how}") from None
    remember_environment()
    open_run(run.folder.path)
    with _collected_log() as log:
        requests, spans = _send(run, quiet=options.quiet, log=log)
    return Exported(what=f"{counted(requests, 'request')} as {counted(spans, 'span')}, and the metrics")


def _send(run: StoredRun, *, quiet: bool, log: list[str]) -> tuple[int, int]:
    """The number of requests and of spans."""
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics.export import MetricExportResult
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExportResult
    from requests import Session

    from harness.report.export.otlp.histograms import Histograms, gauges, metrics_data
    from harness.report.export.otlp.rows import read_requests
    from harness.report.export.otlp.spans import request_spans

    session = Session()
    session.max_redirects = 0  # another host must not get the headers
    exporter, resource, histograms = OTLPSpanExporter(session=session), _resource(run), Histograms()
    requests = spans = 0
    batch: list[ReadableSpan] = []

    def flush() -> None:
        nonlocal spans
        if batch and exporter.export(batch) is not SpanExportResult.SUCCESS:
            raise HarnessError(_refused(f"spans ({spans:,} were sent before)", log))
        spans += len(batch)
        batch.clear()
        log.clear()

    for attempts in read_requests(run.folder):
        requests += 1
        histograms.add(attempts)
        batch.extend(request_spans(attempts, run.manifest, resource))
        if len(batch) >= BATCH:
            flush()
        if not quiet and requests % PROGRESS == 0:
            print(f"{printable(run.folder.path.name)}: {requests:,} requests exported", file=sys.stderr)
    flush()
    start_ns = run.manifest.utc_ns(histograms.first_ns or 0)
    end_ns = max(start_ns, run.manifest.utc_ns(histograms.last_ns))
    figures = [] if run.summary is None else list(gauges(run.summary, start_ns, end_ns))
    metrics = [*histograms.metrics(start_ns, end_ns), *figures]
    data = metrics_data(metrics, resource)
    if metrics and OTLPMetricExporter(session=session).export(data) is not MetricExportResult.SUCCESS:
        raise HarnessError(_refused(f"metrics ({spans:,} spans were sent before)", log))
    session.close()
    return requests, spans


def _resource(run: StoredRun) -> Resource:
    """What all spans and metrics are of; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES add to it."""
    from opentelemetry.sdk.resources import Resource

    manifest = run.manifest
    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "harness"}
    return Resource.create(
        {
            **named,
            "service.version": printable(manifest.versions.get("harness", "")),
            "harness.run_id": printable(manifest.run_id),
            "harness.suite": printable(manifest.suite),
            "harness.suite_digest": printable(manifest.suite_digest),
            "harness.simulated": manifest.simulated,
            "harness.valid": run.trouble is None,
        }
    )


def _refused(what: str, log: list[str]) -> str:
    why = printable(redact(" ".join(log[-2:]) or "no reason given"))  # the last failure, and that it gave up
    return (
        f"the collector did not accept {what}: {why.removesuffix('.')}; check OTEL_EXPORTER_OTLP_ENDPOINT "
        "(http://localhost:4318 if not set) and the other OTEL_EXPORTER_OTLP_* variables"
    )


@contextmanager
def _collected_log() -> Iterator[list[str]]:
    """What the exporter logs, in place of printing it."""
    messages: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    logger, collector = logging.getLogger("opentelemetry"), Collector(logging.WARNING)
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(collector)
    try:
        yield messages
    finally:
        logger.removeHandler(collector)
        logger.propagate = propagate
