"""The gate of a suite file: which metrics decide, and how much worse than the baseline they may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta

from harness.suite.fields import CostMargin, Entry, LatencyMargin, Name, Points

BY_TAG = "pass_rate_by_tag"


class GateEntry(Entry, frozen=True, kw_only=True):
    """Margins: how much worse than the baseline is acceptable. Every metric listed here decides."""

    pass_rate: Annotated[Points | None, Meta(description="In percentage points: 3pp.")] = None
    pass_rate_by_tag: Annotated[
        Annotated[dict[Name, Points], Meta(min_length=1)] | None,
        Meta(
            description="Tag → margin: the pass rate of the prompts with that tag decides too.",
            examples=[{"facts": "5pp"}],
        ),
    ] = None
    error_rate: Annotated[Points | None, Meta(description="Requests that failed, in percentage points.")] = None
    throttle_rate: Annotated[Points | None, Meta(description="Attempts that were throttled, in points.")] = None
    ttft_p50: Annotated[
        LatencyMargin | None, Meta(description="Relative (15%) or absolute (200ms), as for all latencies.")
    ] = None
    ttft_p90: LatencyMargin | None = None
    ttft_p95: LatencyMargin | None = None
    ttft_p99: LatencyMargin | None = None
    e2e_p50: LatencyMargin | None = None
    e2e_p90: LatencyMargin | None = None
    e2e_p95: LatencyMargin | None = None
    e2e_p99: LatencyMargin | None = None
    tpot_p50: LatencyMargin | None = None
    tpot_p90: LatencyMargin | None = None
    tpot_p95: LatencyMargin | None = None
    tpot_p99: LatencyMargin | None = None
    cost_per_request: Annotated[CostMargin | None, Meta(description="Relative (10%) or in dollars ($0.002).")] = None


def flatten_gate(entry: GateEntry | None) -> dict[str, str]:
    """Metric → margin as written, in the order of the keys above. A tag's metric is `pass_rate[tag]`."""
    flat: dict[str, str] = {}
    for key in () if entry is None else entry.__struct_fields__:
        value = getattr(entry, key)
        if key == BY_TAG:
            flat |= {tag_metric(tag): margin for tag, margin in (value or {}).items()}
        elif value is not None:
            flat[key] = value
    return flat


def unflatten_gate(gate: Mapping[str, str]) -> dict[str, Any]:
    """The inverse of `flatten_gate`: the gate with the file's keys."""
    by_tag = {tag: margin for metric, margin in gate.items() if (tag := metric_tag(metric)) is not None}
    plain = {metric: margin for metric, margin in gate.items() if metric_tag(metric) is None}
    return {**plain, BY_TAG: by_tag} if by_tag else plain


def tag_metric(tag: str) -> str:
    """`facts` → `pass_rate[facts]`."""
    return f"pass_rate[{tag}]"


def metric_tag(metric: str) -> str | None:
    """`pass_rate[facts]` → `facts`; None for any other metric."""
    return metric[len("pass_rate[") : -1] if metric.startswith("pass_rate[") and metric.endswith("]") else None
