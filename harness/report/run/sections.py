"""The sections of a run's report, for terminal, Markdown and page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from harness.analysis.answers.book import AnswerBook
from harness.analysis.compare.comparison import CompareReport
from harness.analysis.metrics import METRICS
from harness.analysis.summary.summary import Quantiles, RoutingPair, RunSummary, TargetSummary, Winner
from harness.report.run.graded import (
    PREFERENCES,
    judged_rates,
    judges,
    judging_sentence,
    preferences,
    repeated,
    tags,
)
from harness.report.run.methods import methods
from harness.report.run.verdict import changed_section, is_valid, other_findings, rows_sections, verdict_section
from harness.report.section import (
    Cell,
    Column,
    Mark,
    Name,
    Note,
    Number,
    Picture,
    Report,
    Section,
    Table,
    filled,
    number,
    quantile,
    tabulate,
)
from harness.report.wording import (
    best_of,
    counts,
    date_of,
    error_rate,
    failed_requests,
    findings_section,
    interval_note,
    seconds,
    usd,
    verdict_of,
)

TargetColumn = tuple[Column, Callable[[TargetSummary], Cell]]


def run_report(
    summary: RunSummary,
    pictures: Sequence[Picture] = (),
    *,
    comparison: CompareReport | None = None,
    book: AnswerBook | None = None,
    run: Section | None = None,
) -> Report:
    """The whole report, for a page or Markdown. `comparison`: with the suite's baseline; `run`: what ran, and how."""
    findings = [*summary.findings, *other_findings(summary, comparison)]
    return _report(
        summary,
        heading=summary.suite,
        facts=(
            f"{date_of(summary.started_utc)} · {summary.duration_s:.1f} s · {summary.arrival} arrivals at "
            f"{summary.endpoint} · {interval_note(summary.level)} · total cost {usd(summary.total_cost_usd)}",
        ),
        sections=(
            verdict_section(summary),
            _leads(summary),
            findings_section(findings),
            _targets(summary),
            *rows_sections(comparison),
            changed_section(comparison),
            _routings(summary),
            Section(title="Figures", pictures=pictures),
            Section(title="Prompts", book=book),
            _load(summary),
            _errors(summary),
            tags(summary),
            repeated(summary),
            preferences(summary),
            judges(summary),
            judged_rates(summary),
            run or Section(),
            Section(title="What the numbers mean", notes=methods(summary), layout="terms"),
        ),
    )


def run_brief(summary: RunSummary) -> Report:
    """The short report, for a terminal."""
    cost = f", {usd(summary.total_cost_usd)} in total" if summary.total_cost_usd is not None else ""
    n = counts([t.requests for t in summary.targets])
    return _report(
        summary,
        facts=(f"n = {n} per target, {interval_note(summary.level)}, latencies from due{cost}",),
        sections=(
            verdict_section(summary),
            Section(table=_targets(summary).table, notes=_retries(summary)),
            _leads(summary),
            _routings(summary),
            Section(title=PREFERENCES, table=preferences(summary).table),
            Section(text=judging_sentence(summary)),
            findings_section(summary.findings),
        ),
    )


def _report(summary: RunSummary, *, heading: str = "", facts: Sequence[str], sections: Sequence[Section]) -> Report:
    return Report(
        title=f"{summary.suite} {date_of(summary.started_utc)}",
        heading=heading,
        simulated=summary.simulated,
        invalid="" if is_valid(summary) else f"This run is invalid (state: {summary.state}). See the findings.",
        facts=facts,
        sections=filled(sections),
    )


def is_graded(summary: RunSummary) -> bool:
    """Whether any request was scored. A load test has no scores."""
    return any(t.scored for t in summary.targets)


def _of(field: str, unit: str) -> Callable[[TargetSummary], Cell]:
    return lambda t: number(getattr(t, field), unit)


def _quantile(field: str, name: str, unit: str = "s") -> Callable[[TargetSummary], Cell]:
    return lambda t: number(quantile(getattr(t, field), name), unit)


def _metric(key: str, weight: int, interval_weight: int = 0) -> TargetColumn:
    """The column of a metric of METRICS."""
    metric = METRICS[key]
    best: Literal["high", "low"] = "low" if metric.up_is_worse else "high"
    column = Column(heading=metric.heading, weight=weight, interval_weight=interval_weight, best=best)
    if metric.quantile is None:
        return column, _of(metric.field, metric.unit)
    return column, _quantile(metric.field, f"p{100 * metric.quantile:.0f}", metric.unit)


def _stream_rate(t: TargetSummary) -> Cell:
    median = quantile(t.stream_tokens_per_s, "p50")
    return number(median.value if median else None)


TARGET: TargetColumn = (Column(heading="target"), lambda t: Name(t.target))
COLUMNS: tuple[TargetColumn, ...] = (
    (Column(heading="n", weight=7), lambda t: t.requests),
    _metric("pass_rate", weight=9, interval_weight=9),
    _metric("ttft_p50", weight=8),
    _metric("ttft_p95", weight=3),
    _metric("e2e_p50", weight=0),
    _metric("e2e_p95", weight=4),
    (Column(heading=METRICS["stream_tokens_per_s"].heading, weight=2, best="high"), _stream_rate),
    (Column(heading="errors", weight=6, best="low"), failed_requests),
    (Column(heading="error rate", weight=0), error_rate),
    (Column(heading="$/1k", weight=5, best="low"), _of("cost_per_1000_usd", "usd")),
    _metric("cost_per_correct", weight=0),
)
GRADED = tuple(METRICS[key].heading for key in ("pass_rate", "cost_per_correct"))
LOAD_COLUMNS: tuple[TargetColumn, ...] = (
    (Column(heading="attempts"), lambda t: t.attempts),
    (Column(heading="throttled", best="low"), lambda t: t.throttled_attempts),
    (Column(heading="offered /s"), _of("offered_per_s", "")),
    (Column(heading="achieved /s", best="high"), _of("achieved_per_s", "")),
    (Column(heading="goodput /s", best="high"), _of("goodput_per_s", "")),
    (Column(heading="output tok/s"), _of("output_tokens_per_s", "")),
    (Column(heading=METRICS["tpot_p50"].heading, best="low"), _quantile("tpot_s", "p50", "ms")),
    (Column(heading="queue delay p99"), _quantile("queue_delay_s", "p99", "ms")),
    (Column(heading="input tokens"), lambda t: t.input_tokens),
    (Column(heading="output tokens"), lambda t: t.output_tokens),
    (Column(heading="cost", best="low"), _of("cost_usd", "usd")),
)
RETRY_COLUMNS: tuple[TargetColumn, ...] = (
    (Column(heading="backoff p50"), _quantile("backoff_s", "p50")),
    (Column(heading="TTFT p95 of the attempt", best="low"), _quantile("attempt_ttft_s", "p95")),
    (Column(heading="E2E p95 of the attempt", best="low"), _quantile("attempt_e2e_s", "p95")),
)
"""Shown beside the latencies of the request, which include all attempts and the waits between them."""


def _by_target(summary: RunSummary, columns: Sequence[TargetColumn]) -> Table:
    """A row for each target. The figures of one that was stopped early are of a part of its requests."""
    stopped = {finding.target for finding in summary.findings}
    return tabulate(summary.targets, [TARGET, *columns], is_partial=lambda t: t.target in stopped)


def _targets(summary: RunSummary) -> Section:
    """The main table; without quality for a load test."""
    columns = [each for each in COLUMNS if is_graded(summary) or each[0].heading not in GRADED]
    return Section(title="Targets", table=_by_target(summary, columns))


def _load(summary: RunSummary) -> Section:
    """The table of load, tokens and cost; with retries if there were any."""
    retried = any(t.backoff_s is not None for t in summary.targets)
    columns = [*LOAD_COLUMNS, *(RETRY_COLUMNS if retried else ())]
    return Section(title="Load, tokens and cost", table=_by_target(summary, columns))


def _leads(summary: RunSummary) -> Section:
    columns = [
        Column(heading=heading, is_text=heading != "value") for heading in ("metric", "target", "value", "verdict")
    ]
    rows = [(*_lead(w), Mark(verdict_of(w), "warn" if w.close else "good")) for w in summary.winners]
    return Section(
        title="Who leads", text=best_of(summary.winners), table=Table(columns=columns, rows=rows), layout="cards"
    )


def _lead(w: Winner) -> tuple[str, Name, Number]:
    """Metric, leader and value. Cost per request is shown per 1,000, as in the table of targets."""
    name = Name(" = ".join([w.target, *w.tied_with]))
    if w.metric == METRICS["cost_per_request"].label:
        return "cost per 1,000 requests", name, Number(1000 * w.value, w.unit)
    return w.metric, name, Number(w.value, w.unit)


def _routings(summary: RunSummary) -> Section:
    notes = [Note(text=_routing_sentence(pair, summary)) for pair in summary.routings]
    return Section(title="Global or regional", notes=notes)


def _routing_sentence(pair: RoutingPair, summary: RunSummary) -> str:
    """Price, latency and availability of a regional endpoint against the global one."""
    by_name = {t.target: t for t in summary.targets}
    ours, theirs = by_name[pair.regional], by_name[pair.worldwide]
    return (
        f"{pair.model}: {pair.routing} {_premium(pair)}"
        f" ({usd(ours.cost_per_1000_usd)} against {usd(theirs.cost_per_1000_usd)} per 1,000 requests);"
        f" TTFT p50 {_against(ours.ttft_s, theirs.ttft_s, 'p50', pair.ttft_p50_apart)};"
        f" E2E p95 {_against(ours.e2e_s, theirs.e2e_s, 'p95', pair.e2e_p95_apart)};"
        f" answered {ours.succeeded:,} of {ours.requests:,} against {theirs.succeeded:,} of {theirs.requests:,}"
    )


def _premium(pair: RoutingPair) -> str:
    if pair.price_premium is None:
        return "against global, at an unknown price difference"
    if pair.price_premium == 0:
        return "costs no more than global"
    return f"costs {100 * abs(pair.price_premium):g}% {'more' if pair.price_premium > 0 else 'less'} than global"


def _against(ours: Quantiles | None, theirs: Quantiles | None, name: str, apart: bool) -> str:
    return f"{_seconds(ours, name)} against {_seconds(theirs, name)}{'' if apart else ' (too close to call)'}"


def _seconds(quantiles: Quantiles | None, name: str) -> str:
    interval = quantile(quantiles, name)
    return seconds(interval.value if interval else None)


def _retries(summary: RunSummary) -> list[Note]:
    """For each target with retries, how many requests were retried, and the effect on latency."""
    return [
        Note(
            label=t.target,
            text=f"{t.backoff_s.n:,} of {t.requests:,} requests were retried, after a median backoff of "
            f"{seconds(t.backoff_s.p50.value)}"
            + (
                f"; E2E p95 {_seconds(t.e2e_s, 'p95')} of the request, "
                f"{_seconds(t.attempt_e2e_s, 'p95')} of its last attempt"
                if t.attempt_e2e_s is not None
                else ""
            ),
        )
        for t in summary.targets
        if t.backoff_s is not None
    ]


def _errors(summary: RunSummary) -> Section:
    columns = [
        Column(heading="target"),
        Column(heading="kind", is_text=True),
        Column(heading="failed attempts"),
        Column(heading="most frequent message", is_text=True),
    ]
    rows = [
        (Name(t.target), kind, count, t.error_messages.get(kind))
        for t in summary.targets
        for kind, count in t.error_kinds.items()
    ]
    return Section(title="Errors", text="" if rows else "No attempt failed.", table=Table(columns=columns, rows=rows))
