"""The sections of a sweep's report: a sentence on each knee, and a table of each target's steps."""

from __future__ import annotations

from collections.abc import Callable

from harness.analysis.metrics import METRICS
from harness.analysis.sweep import SweepReport, SweepStep, TargetSweep
from harness.report.section import Cell, Column, Note, Picture, Report, Section, filled, number, quantile, tabulate
from harness.report.wording import findings_section, significant

EARLY = "*"
EARLY_NOTE = f"{EARLY} ended early, since it could no longer meet the objective"
StepColumn = tuple[Column, Callable[[SweepStep], Cell]]


def _latency(key: str, *, weight: int) -> StepColumn:
    """The column of a metric of METRICS that is a quantile."""
    metric = METRICS[key]
    name = f"p{100 * (metric.quantile or 0):.0f}"
    return Column(heading=metric.heading, weight=weight), lambda step: number(
        quantile(getattr(step, metric.field), name), "s"
    )


COLUMNS: tuple[StepColumn, ...] = (
    (Column(heading="met", weight=9), lambda step: _met(step)),
    (Column(heading="good", weight=8, interval_weight=1), lambda step: number(step.good_share, "share")),
    _latency("ttft_p50", weight=3),
    _latency("ttft_p95", weight=7),
    _latency("e2e_p95", weight=6),
    (Column(heading="throttled", weight=4), lambda step: step.outcome.throttled),
    (Column(heading="failed", weight=5), lambda step: step.outcome.failed),
    (Column(heading="n", weight=2), lambda step: step.outcome.requests),
)


def sweep_report(report: SweepReport, picture: Picture | None = None) -> Report:
    """The knees, then every step, then the findings."""
    offered = (Column(heading="offered"), lambda step: level_of(report, step.outcome.level))
    early = any(step.outcome.ended_early for each in report.targets for step in each.steps)
    return Report(
        title=f"Sweep of {report.suite}",
        simulated=report.simulated,
        facts=[f"Objective: {objective_of(report)}."],
        sections=filled(
            [
                Section(notes=[Note(text=each) for each in sentences(report)]),
                Section(pictures=[picture] if picture else []),
                *(
                    Section(title=each.target, table=tabulate(each.steps, [offered, *COLUMNS]))
                    for each in report.targets
                ),
                Section(text=EARLY_NOTE if early else ""),
                findings_section(report.findings),
            ]
        ),
    )


def objective_of(report: SweepReport) -> str:
    """`95% of requests with TTFT ≤ 2 s and E2E ≤ 6 s`."""
    limits = [("TTFT", report.objective.slo.ttft_s), ("E2E", report.objective.slo.e2e_s)]
    slo = " and ".join(f"{name} ≤ {limit:g} s" for name, limit in limits if limit is not None)
    return f"{100 * report.objective.share:g}% of requests with {slo}"


def level_of(report: SweepReport, level: float) -> str:
    """`12 req/s`, or `8 streams`."""
    return f"{level:g} req/s" if report.by == "rate" else f"{level:g} stream{'' if level == 1 else 's'}"


def sentences(report: SweepReport) -> list[str]:
    """One sentence for each target, the highest knee first."""
    ordered = sorted(report.targets, key=lambda each: -(each.met or 0.0))
    return [_sentence(report, each) for each in ordered]


def headline(report: SweepReport) -> str:
    """The two highest knees, in one line."""
    known = sorted((each for each in report.targets if each.met is not None), key=lambda each: -(each.met or 0.0))
    if not known:
        return "No target met the SLO at any level of this sweep"
    knees = [f"{each.target} up to {level_of(report, each.met or 0.0)}" for each in known]
    others = "" if len(report.targets) <= 2 else f"; {len(report.targets) - 2} others at less"
    return f"Within the SLO: {', '.join(knees[:2])}{others}"


def _sentence(report: SweepReport, each: TargetSweep) -> str:
    match each.ending:
        case "below":
            assert each.missed is not None
            return f"{each.target} does not meet the SLO even at {level_of(report, each.missed)}{_why(each)}"
        case "at_least":
            assert each.met is not None
            return f"{each.target} meets the SLO up to the top of the sweep, {level_of(report, each.met)}"
        case "found":
            assert each.met is not None
            assert each.missed is not None
            met, missed = level_of(report, each.met), level_of(report, each.missed)
            return f"{each.target} meets the SLO up to {met}; at {missed} it does not{_why(each)}"
        case "refused":
            return f"{each.target} answered no requests"
        case _:
            met = (
                f"it met the SLO at {level_of(report, each.met)}"
                if each.met is not None
                else "no level met the SLO yet"
            )
            return f"{each.target}: the search did not finish; {met}"


def _why(each: TargetSweep) -> str:
    """Why the level above the knee was missed: the suite's quota, or the most frequent miss; empty if unknown."""
    step = next((step for step in each.steps if step.outcome.level == each.missed), None)
    if step is not None and step.outcome.quota_per_s is not None:
        return f" (the suite's quota sustains {significant(step.outcome.quota_per_s)} req/s)"
    if step is None or not step.outcome.missed:
        return ""
    name = next(iter(step.outcome.missed))
    return f" ({_MISSES.get(name, name)})"


_MISSES = {"ttft": "TTFT too long", "e2e": "E2E too long"}


def _met(step: SweepStep) -> str:
    """`yes`, `no`, or the bottleneck: the suite's `quota` or the `client`."""
    outcome = step.outcome
    word = "quota" if outcome.quota_per_s is not None else "client" if outcome.client_limited else "no"
    return ("yes" if outcome.met else word) + (EARLY if outcome.ended_early else "")
