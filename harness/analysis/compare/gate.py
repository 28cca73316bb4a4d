"""The gate: which metrics decide, with which margins, and the exit code of a verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress

import msgspec

from harness.analysis.compare.comparison import CompareReport, Scale
from harness.analysis.metrics import METRICS, metric_of
from harness.errors import CompareError
from harness.store.records import PAIRWISE
from harness.suite.fields import Margin, UnitError, parse_cost_margin, parse_latency_margin, parse_points
from harness.suite.suite import Suite

DEFAULT_GATE = {"pass_rate": "5pp", "error_rate": "2pp", "ttft_p95": "25%", "e2e_p95": "25%", "cost_per_request": "10%"}
"""For a suite without a gate. A finding says when it is used."""

EXIT_CODES = {"better": 0, "no_worse": 0, "worse": 1, "inconclusive": 3}
INVALID = 4


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One metric that decides, and how much worse is still acceptable."""

    metric: str
    scale: Scale
    margin: float
    """On `scale`: 0.03 for `3pp`, ln 1.15 for `15%`, seconds or dollars."""
    written: str


def make_rules(gate: Mapping[str, str]) -> tuple[Rule, ...]:
    """Rules of a gate (metric → margin as written). CompareError: a margin cannot be read, as one without a unit."""
    return tuple(_rule(metric, written) for metric, written in gate.items())


def gate_of(suite: Suite, *, tail: bool) -> tuple[dict[str, str], bool]:
    """The suite's gate or the default one, and whether it is the default.

    The default leaves out TTFT if a target does not stream, and the pass rate if no prompt has a check that passes or
    fails. `tail`: whether the samples can bound a p95; if not, the default compares latencies at their median.
    """
    if suite.gate:
        return dict(suite.gate), False
    left_out = set()
    if not all(target.stream for target in suite.targets):
        left_out.add("ttft_p95")
    if all(check.type == PAIRWISE for prompt in suite.prompts for check in prompt.checks):
        left_out.add("pass_rate")
    gate = {metric: margin for metric, margin in DEFAULT_GATE.items() if metric not in left_out}
    return {metric if tail else metric.replace("_p95", "_p50"): margin for metric, margin in gate.items()}, True


def exit_code(report: CompareReport) -> int:
    """0 better or no worse, 1 worse, 3 inconclusive, 4 a run is invalid."""
    return EXIT_CODES[report.verdict] if report.valid else INVALID


def _rule(metric: str, written: str) -> Rule:
    parse = _parser(metric)
    try:
        margin = parse(written)
    except UnitError as error:
        raise CompareError(f"gate.{metric}: {error}") from error
    scale, value = on_scale(margin)
    return Rule(metric=metric, scale=scale, margin=value, written=written)


def _parser(key: str) -> Callable[[object], Margin]:
    """The parser of a metric's margin. CompareError: a gate cannot name the metric."""
    with suppress(KeyError):
        kind = metric_of(key).margin
        if kind is not None:
            return _PARSERS[kind]
    rates = [metric.key for metric in METRICS.values() if metric.margin == "points"]
    raise CompareError(
        f"gate.{key}: no such metric (known: {', '.join(rates)}, pass_rate[TAG], cost_per_request, and p50, p90, "
        "p95 and p99 of ttft, e2e and tpot, as ttft_p95)"
    )


_PARSERS: Mapping[str, Callable[[object], Margin]] = {
    "points": parse_points,
    "latency": parse_latency_margin,
    "cost": parse_cost_margin,
}


def on_scale(margin: Margin) -> tuple[Scale, float]:
    """A margin on the scale on which its metric is compared: points, ln(1 + percent), or the metric's own unit."""
    if margin.unit == "pp":
        return "points", margin.value
    return ("log_ratio", math.log1p(margin.value)) if margin.unit == "%" else ("absolute", margin.value)
