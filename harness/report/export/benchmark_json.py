"""benchmark.json as github-action-benchmark reads it, with `customSmallerIsBetter` or `customBiggerIsBetter`.

A file has one direction, as the action has: latencies, costs and the error rate, or the pass rate and the output speed.
"""

from __future__ import annotations

from typing import Any

import msgspec

from harness.analysis.past_runs import StoredRun
from harness.analysis.summary.summary import Quantiles, RunSummary
from harness.characters import counted, printable
from harness.errors import HarnessError
from harness.report.export.exporter import (
    UNITS,
    Exported,
    ExportOptions,
    Value,
    series_name,
    summary_of,
    target_values,
)
from harness.report.section import Number
from harness.report.wording import write_interval


def export_benchmark(run: StoredRun, options: ExportOptions) -> Exported:
    """The file. HarnessError: the run has no figure of this direction, and the action would fail on an empty file."""
    summary = summary_of(run)
    values = [each for each in target_values(summary) if each.metric.up_is_worse is not options.bigger_is_better]
    if not values:
        direction = "bigger" if options.bigger_is_better else "smaller"
        raise HarnessError(f"{run.folder.path}: has no metric of which {direction} is better")
    entries = msgspec.json.encode([_entry(each, summary) for each in values])
    document = msgspec.json.format(entries, indent=2).decode() + "\n"
    return Exported(document=document, what=counted(len(values), "metric"))


def _entry(value: Value, summary: RunSummary) -> dict[str, Any]:
    figure, unit = value.figure, UNITS[value.metric.unit]
    entry = {
        "name": f"{series_name(value.target, summary)}: {value.metric.label}",
        "unit": unit,
        "value": figure.value * value.scale,
        "extra": "\n".join(_details(value, summary)),
    }
    if figure.low is not None and figure.high is not None:
        half = max(figure.high - figure.value, figure.value - figure.low)
        entry["range"] = f"± {half * value.scale:.4g}"
    return entry


def _details(value: Value, summary: RunSummary) -> list[str]:
    """What the tooltip of a point says."""
    figure, unit = value.figure, value.metric.unit
    bounds = write_interval(Number(figure.value, unit, figure.low, figure.high, bounded=True), between=" to ")
    stored = getattr(value.target, value.metric.field)
    n = stored.n if isinstance(stored, Quantiles) else value.target.requests
    interval = [f"{100 * summary.level:g}% interval {bounds} {UNITS[unit]}"] if bounds else []
    return [*interval, counted(n, "request"), f"run {printable(summary.run_id)}"]
