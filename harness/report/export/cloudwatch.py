"""Sends a run's metrics to CloudWatch by PutMetricData."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import msgspec

from harness.analysis.past_runs import StoredRun
from harness.analysis.summary.summary import RunSummary
from harness.characters import counted
from harness.clock import parse_utc, utc_now
from harness.endpoints.account.account import ATTEMPTS, CONNECT_TIMEOUT_S, READ_TIMEOUT_S, configured_region
from harness.endpoints.account.errors import reading_errors
from harness.endpoints.address import forget_aws, make_connection
from harness.endpoints.aws import AwsServices
from harness.endpoints.base import Connection
from harness.errors import HarnessError
from harness.report.export.emf import UNITS, checked_namespace, dimensions_of
from harness.report.export.exporter import Exported, ExportOptions, summary_of, target_values

MOST_DATA = 1_000
"""In one call."""
OLDEST = timedelta(days=14)
"""Earlier timestamps are not accepted."""


def export_cloudwatch(run: StoredRun, options: ExportOptions) -> Exported:
    """Send the metrics. AccountError: CloudWatch refuses them; HarnessError: the run is too old, or bad input."""
    summary, namespace = summary_of(run), checked_namespace(options.namespace)
    if utc_now() - parse_utc(summary.started_utc) >= OLDEST:
        raise HarnessError(
            f"{run.folder.path}: started at {summary.started_utc}; CloudWatch accepts metrics of the last "
            f"{OLDEST.days} days only"
        )
    connection = _connect(options.endpoint, run)
    data = list(_metric_data(summary))
    asyncio.run(_put(connection, namespace, data))
    return Exported(what=f"{counted(len(data), 'metric')} to CloudWatch in {connection.region}, namespace {namespace}")


def _connect(endpoint: str, run: StoredRun) -> Connection:
    """CloudWatch in the configured Region, or else in that of the run's first target."""
    first = run.manifest.targets[0].region
    connection = make_connection(endpoint, region=first, pool_size=1, connect_timeout_s=CONNECT_TIMEOUT_S)
    if connection.made_up_credentials:
        forget_aws()
    elif connection.url is not None:
        raise HarnessError(f"--endpoint {endpoint}: must be aws, or a URL on this machine")
    return msgspec.structs.replace(connection, region=configured_region() or first)


def _metric_data(summary: RunSummary) -> Iterator[dict[str, Any]]:
    """`MetricDatum`s, all at the start of the run."""
    started = parse_utc(summary.started_utc)
    for each in target_values(summary):
        dimensions = dimensions_of(each.target, summary)
        yield {
            "MetricName": each.metric.key,
            "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
            "Timestamp": started,
            "Value": each.figure.value * each.scale,
            "Unit": UNITS[each.metric.unit],
        }


async def _put(connection: Connection, namespace: str, data: Sequence[dict[str, Any]]) -> None:
    settings = {"retries": {"total_max_attempts": ATTEMPTS, "mode": "standard"}, "read_timeout": READ_TIMEOUT_S}
    with reading_errors("cloudwatch", "put_metric_data", connection.region):
        async with AsyncExitStack() as stack:
            client = await AwsServices(connection, stack, **settings).client("cloudwatch")
            for start in range(0, len(data), MOST_DATA):
                await client.put_metric_data(Namespace=namespace, MetricData=data[start : start + MOST_DATA])
