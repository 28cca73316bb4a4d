"""Lines in CloudWatch's embedded metric format, one for each target, from which CloudWatch Logs extracts the metrics.

The rules of names, dimensions and sizes are those of the format's specification and of CloudWatch's `MetricDatum`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import msgspec

from harness.analysis.metrics import Unit
from harness.analysis.past_runs import StoredRun
from harness.analysis.summary.summary import RunSummary, TargetSummary
from harness.characters import counted, printable
from harness.clock import parse_utc
from harness.errors import HarnessError
from harness.report.export.exporter import Exported, ExportOptions, summary_of, target_values

UNITS: dict[Unit, str] = {"share": "Percent", "s": "Seconds", "tokens/s": "Count/Second", "usd": "None"}
MOST_CHARACTERS = 1024
"""Of a dimension's value."""
_NAMESPACE = re.compile(r"(?!AWS/)[0-9A-Za-z._/#-][0-9A-Za-z._/#:-]{0,254}")


def export_emf(run: StoredRun, options: ExportOptions) -> Exported:
    """The lines. HarnessError: the namespace is none that CloudWatch accepts."""
    summary, namespace = summary_of(run), checked_namespace(options.namespace)
    lines = [msgspec.json.encode(line).decode() + "\n" for line in _lines(summary, namespace)]
    return Exported(document="".join(lines), what=counted(len(lines), "target"))


def checked_namespace(name: str) -> str:
    """The name. HarnessError: CloudWatch does not accept it as a namespace."""
    if not _NAMESPACE.fullmatch(name):
        raise HarnessError(
            f"--namespace {printable(name)}: use 1 to 255 letters, digits and . - _ / # : (not first); "
            "AWS/ is for AWS's own"
        )
    return name


def dimensions_of(target: TargetSummary, summary: RunSummary) -> dict[str, str]:
    """What identifies a target's metrics. Of a simulated run there is one more, so that no alarm mixes the two."""
    dimensions = {"Suite": _dimension(summary.suite), "Target": _dimension(target.target)}
    return dimensions | ({"Simulated": "true"} if summary.simulated else {})


def _dimension(text: str) -> str:
    """The value that CloudWatch accepts: ASCII, not empty, and without a colon at its start."""
    plain = printable(text).encode("ascii", "replace").decode()
    return plain.lstrip(": ")[:MOST_CHARACTERS] or "?"


def timestamp_ms(summary: RunSummary) -> int:
    """When the run started, ms since 1970."""
    return round(parse_utc(summary.started_utc).timestamp() * 1000)


def _lines(summary: RunSummary, namespace: str) -> Iterator[dict[str, Any]]:
    for _, group in groupby(target_values(summary), key=lambda value: value.target.target):
        values = list(group)
        dimensions = dimensions_of(values[0].target, summary)
        metrics = [{"Name": each.metric.key, "Unit": UNITS[each.metric.unit]} for each in values]
        directive = {"Namespace": namespace, "Dimensions": [list(dimensions)], "Metrics": metrics}
        yield {
            "_aws": {"Timestamp": timestamp_ms(summary), "CloudWatchMetrics": [directive]},
            **dimensions,
            **{each.metric.key: each.figure.value * each.scale for each in values},
            "run_id": printable(summary.run_id),
            "requests": values[0].target.requests,
        }
