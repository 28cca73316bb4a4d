"""The results of a sweep: each target's knee, and latency, goodput and errors at every level, from the raw attempts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from harness.analysis import metrics
from harness.analysis.columns import Columns
from harness.analysis.loader import load_run
from harness.analysis.stats.interval import Interval
from harness.analysis.stats.proportions import wilson
from harness.analysis.summary.summarise import dependence_of, quantiles
from harness.analysis.summary.summary import Quantiles
from harness.load.sweep.search import Search
from harness.load.sweep.step import By, Objective, StepOutcome
from harness.load.sweep.sweep import Climb
from harness.store.files import write_atomically
from harness.store.finding import Finding
from harness.store.run_folder import RunFolder

SWEEP_FILE = "sweep.json"
QUOTA_S = 60.0
"""Quotas are per minute: an unused one lets a minute's worth through at once."""
QUOTA_SHOWS_S = 2 * QUOTA_S
"""By then a load of more than one and a half times its quota is throttled."""
Ending = Literal["found", "at_least", "below", "client_limited", "refused", "unfinished"]
"""`found`: the knee lies between two levels. `at_least`: even the highest level met the objective. `below`: not even
the lowest did. `client_limited`: the client became the bottleneck first. `refused`: no request was answered at any
load. `unfinished`: the budget ran out, or the sweep was interrupted."""


class SweepStep(msgspec.Struct, frozen=True, kw_only=True):
    """One level of one target. Rates are per second; without a value where nothing succeeded or it is not streamed."""

    outcome: StepOutcome
    offered_per_s: float | None
    achieved_per_s: float | None
    goodput_per_s: float | None
    good_share: Interval
    """Requests that succeeded within every SLO / requests; Wilson."""
    ttft_s: Quantiles | None
    e2e_s: Quantiles | None


class TargetSweep(msgspec.Struct, frozen=True, kw_only=True):
    """One target's ladder, its steps by level."""

    target: str
    ending: Ending
    met: float | None
    """The highest level that met the objective: the knee."""
    missed: float | None
    """The lowest level above it that did not."""
    steps: tuple[SweepStep, ...]


class SweepReport(msgspec.Struct, frozen=True, kw_only=True):
    """`sweep.json`."""

    run_id: str
    suite: str
    simulated: bool
    endpoint: str
    by: By
    arrival: str
    objective: Objective
    targets: tuple[TargetSweep, ...]
    findings: tuple[Finding, ...] = ()


def report_target(
    target: str, search: Search, outcomes: Sequence[StepOutcome], c: Columns, *, by: By, objective: Objective
) -> TargetSweep:
    """One target's ladder. `c`: all its measured requests; `repeat` is the step."""
    own = sorted((each for each in outcomes if each.target == target), key=lambda each: each.level)
    return TargetSweep(
        target=target,
        ending=_ending(search, own),
        met=search.met,
        missed=search.missed,
        steps=tuple(_step(each, c.select(c.repeat == each.step), by=by, objective=objective) for each in own),
    )


def make_sweep_report(
    folder: RunFolder, climb: Climb, outcomes: Sequence[StepOutcome], searches: Mapping[str, Search]
) -> SweepReport:
    """The report, from the attempts in the sweep's folder and how each target's search ended."""
    manifest, data = folder.read_manifest(), load_run(folder)
    targets = tuple(
        report_target(name, search, outcomes, data.columns[name], by=climb.by, objective=climb.objective)
        for name, search in searches.items()
        if name in data.columns
    )
    return SweepReport(
        run_id=manifest.run_id,
        suite=manifest.suite,
        simulated=manifest.simulated,
        endpoint=manifest.endpoint,
        by=climb.by,
        arrival="closed" if climb.by == "concurrency" else climb.arrival,
        objective=climb.objective,
        targets=targets,
        findings=(
            *manifest.findings,
            *sweep_findings(targets),
            *quota_findings(targets, by=climb.by, endpoint=manifest.endpoint),
        ),
    )


def sweep_findings(targets: Sequence[TargetSweep]) -> list[Finding]:
    """Why the knee of a target is unknown; each of these invalidates the sweep."""
    findings = []
    for each in targets:
        if each.ending == "client_limited":
            level = next(step.outcome.level for step in each.steps if step.outcome.client_limited)
            findings.append(
                Finding(
                    what=f"{each.target}: at {level:g} the client sent requests late: it was the bottleneck, so the "
                    "knee is not the endpoint's",
                    remedy="use client wire, stop other work on this machine, sweep fewer targets at once, or raise "
                    "the suite's quota if it has one, since it holds requests back",
                    invalidates=True,
                )
            )
        elif each.ending == "refused":
            kind = next(name for step in each.steps if step.outcome.refused for name in step.outcome.missed)
            findings.append(
                Finding(
                    what=f"{each.target}: every request failed, most often with {kind}; a lower load does not help",
                    remedy="run the suite with `harness run`: its report says what went wrong and how to fix it",
                    invalidates=True,
                )
            )
        elif each.ending == "unfinished":
            findings.append(
                Finding(
                    what=f"{each.target}: the search stopped before it reached the requested precision",
                    remedy="raise the budget, or run the sweep again to the end",
                    invalidates=True,
                )
            )
    return findings


def quota_findings(targets: Sequence[TargetSweep], *, by: By, endpoint: str) -> list[Finding]:
    """Where a quota may set the knee: the suite's own, or an endpoint's that the short steps could not reveal."""
    findings = []
    for each in targets:
        sustained = next((step.outcome.quota_per_s for step in each.steps if step.outcome.level == each.missed), None)
        if sustained is not None:
            findings.append(
                Finding(
                    what=f"{each.target}: the suite's quota sustains about {sustained:.3g} requests per second: it "
                    "sets the limit, and the endpoint may handle more",
                    remedy="raise or remove the quota to find the endpoint's own knee",
                )
            )
    short = [each.target for each in targets if endpoint != "simulator" and by == "rate" and _too_short(each)]
    if short:
        findings.append(
            Finding(
                what=f"the steps of {', '.join(short)} took less than a minute and nothing was throttled: the "
                "endpoint's quota of tokens per minute may not have taken effect, and the knee may not last",
                remedy=f"sweep with --step-time {QUOTA_SHOWS_S:.0f}s or longer, or compare with the quotas that "
                "`harness doctor` reports",
            )
        )
    return findings


def _too_short(each: TargetSweep) -> bool:
    """Whether the knee's step was too short to reveal a quota per minute, and no other step revealed one."""
    if each.met is None or any(step.outcome.throttled or step.outcome.quota_per_s for step in each.steps):
        return False
    return any(step.outcome.level == each.met and step.outcome.requests / each.met < QUOTA_S for step in each.steps)


def write_sweep(folder: Path, report: SweepReport) -> None:
    """Write `sweep.json`. StoreError: disk full, no permission."""
    write_atomically(folder / SWEEP_FILE, msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")


def _ending(search: Search, steps: Sequence[StepOutcome]) -> Ending:
    if any(each.client_limited for each in steps):
        return "client_limited"
    if search.met is None and any(each.refused for each in steps):
        return "refused"
    if search.next_level() is not None:
        return "unfinished"
    if search.missed is None:
        return "at_least"
    return "below" if search.met is None else "found"


def _step(outcome: StepOutcome, c: Columns, *, by: By, objective: Objective) -> SweepStep:
    arrival, dependence = "closed" if by == "concurrency" else "open", dependence_of(c)
    return SweepStep(
        outcome=outcome,
        offered_per_s=None if by == "concurrency" else metrics.offered_per_s(c),
        achieved_per_s=metrics.achieved_per_s(c, arrival=arrival) if len(c.ok) else None,
        goodput_per_s=metrics.goodput_per_s(c, objective.slo, arrival=arrival) if len(c.ok) else None,
        good_share=wilson(outcome.good, outcome.requests) if outcome.requests else Interval(value=0.0),
        ttft_s=quantiles(metrics.ttft_s(c), dependence),
        e2e_s=quantiles(metrics.e2e_s(c), dependence),
    )
