"""What `harness sweep` does once it has its suite: the ladder, the load, the report."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec
import uvloop

from harness.analysis.loader import load_run
from harness.analysis.stats.intervals import samples_for_quantile
from harness.analysis.sweep import Searched, SweepReport, quota_findings, report_target, sweep_findings, write_sweep
from harness.cli.running.interrupts import Interrupts
from harness.cli.running.sending import (
    INTERRUPTED,
    is_simulated,
    open_endpoint,
    prepare,
    progress_shown,
    send_and_store,
)
from harness.clock import MonotonicClock
from harness.errors import HarnessError, RunInvalid
from harness.load.arrivals import STEADY
from harness.load.progress import Progress, Tally
from harness.load.session import Job, make_exchange, open_lanes, watched
from harness.load.stop import Stop
from harness.load.sweep.search import Ladder
from harness.load.sweep.step import By, Objective, StepOutcome
from harness.load.sweep.sweep import Climb, Sweep
from harness.store.client_health import ClientHealth
from harness.store.journal import Journal
from harness.store.manifest import new_manifest
from harness.store.records import Attempt
from harness.store.run_folder import RunFolder, create_run
from harness.suite.digest import digest_suite
from harness.suite.fields import MOST_PER_S, MOST_REQUESTS, UnitError, parse_duration
from harness.suite.suite import Load, Retries, Slo, Suite

CROWDED = ("--capacity", "16", "--capacity", "global=32")
"""The embedded Bedrock has no end of capacity unless it is told one, and then there would be no knee to find."""
LOWEST_SHARE = 1 / 64
"""How far below the first level a search goes down."""


class SweepOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the options of `harness sweep` ask for."""

    by: By
    first: float
    highest: float
    share: float
    requests: int | None
    resolution: float
    step_time: str
    slo_ttft: str | None
    slo_e2e: str | None


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """A sweep whose load is over."""

    folder: RunFolder
    outcomes: list[StepOutcome]
    searched: list[Searched]
    interrupted: bool


def find_knees(suite: Suite, asked: SweepOptions, *, out: Path, seed: int, as_json: bool, quiet: bool) -> int:
    """Sweep, report, and return the exit code: 4 where a knee is not known. HarnessError before anything is sent."""
    climb = _make_climb(suite, asked)
    suite = _swept_suite(suite, climb)
    prepare(suite, quiet=quiet)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        swept = runner.run(_send(suite, climb, out=out, seed=seed, quiet=quiet))
    if swept is None:
        return INTERRUPTED
    report = _report(suite, climb, swept)
    write_sweep(swept.folder.path, report)
    from harness.report.sweep_files import write_sweep_report

    picture = write_sweep_report(swept.folder, suite, report)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    else:
        from rich.console import Console

        from harness.report.sweep import print_sweep

        print_sweep(report, Console(), picture=str(picture))
    if swept.interrupted:
        return INTERRUPTED
    return RunInvalid.exit_code if any(finding.invalidates for finding in report.findings) else 0


LONGEST_STEP_S = 3600.0


def _make_climb(suite: Suite, asked: SweepOptions) -> Climb:
    slo = Slo(
        ttft_s=_duration("--slo-ttft", asked.slo_ttft, suite.slo.ttft_s),
        e2e_s=_duration("--slo-e2e", asked.slo_e2e, suite.slo.e2e_s),
    )
    if slo.ttft_s is None and slo.e2e_s is None:
        raise HarnessError(
            f"suite {suite.name!r} has no slo, so no load can be said to meet it; add `slo: {{ttft: 2s, e2e: 6s}}`, or "
            "give --slo-ttft or --slo-e2e"
        )
    needed = samples_for_quantile(asked.share)
    requests = 2 * needed if asked.requests is None else asked.requests
    if requests < needed:
        raise HarnessError(
            f"--requests {requests}: the {100 * asked.share:g}th percentile needs {needed} requests a step at least; "
            "ask for more, or for a lower --percentile"
        )
    if asked.first > asked.highest:
        raise HarnessError(f"--from {asked.first:g}: is above --to {asked.highest:g}; begin lower, or raise --to")
    whole = asked.by == "concurrency"
    if not whole and asked.highest > MOST_PER_S:
        raise HarnessError(f"--to {asked.highest:g}: is more than a client can send; at most {MOST_PER_S:,.0f}/s")
    first = float(max(1, round(asked.first))) if whole else asked.first
    ladder = Ladder(
        first=first,
        lowest=1.0 if whole else min(asked.first, asked.highest) * LOWEST_SHARE,
        highest=float(int(asked.highest)) if whole else asked.highest,
        resolution=asked.resolution,
        whole=whole,
    )
    arrival = suite.load.arrival if suite.load.arrival in STEADY else "poisson"
    objective = Objective(slo=slo, share=asked.share, requests=requests)
    step_s = _duration("--step-time", asked.step_time, None) or 0.0
    if step_s > LONGEST_STEP_S:
        raise HarnessError(f"--step-time {asked.step_time}: a step lasts {LONGEST_STEP_S / 3600:g} h at most")
    climb = Climb(
        by=asked.by,
        ladder=ladder,
        objective=objective,
        arrival=arrival,
        burstiness=suite.load.burstiness if arrival == "gamma" else None,
        step_s=step_s,
    )
    most = climb.objective_at(ladder.highest).requests
    if most > MOST_REQUESTS:
        raise HarnessError(
            f"--to {asked.highest:g}: a step there takes {most:,} requests, and {MOST_REQUESTS:,} are the most; lower "
            "it, or --step-time"
        )
    return climb


def _duration(option: str, written: str | None, default_s: float | None) -> float | None:
    try:
        return default_s if written is None else parse_duration(written)
    except UnitError as error:
        raise HarnessError(f"{option} {written}: {error}") from error


def _swept_suite(suite: Suite, climb: Climb) -> Suite:
    """The suite as a sweep sends it: no retries, the SLOs that it is judged by, a load as wide as the ladder."""
    widest: Load = climb.load_at(climb.ladder.highest)
    suite = msgspec.structs.replace(suite, load=widest, retries=Retries(max_attempts=1), slo=climb.objective.slo)
    return msgspec.structs.replace(suite, digest=digest_suite(suite))


async def _send(suite: Suite, climb: Climb, *, out: Path, seed: int, quiet: bool) -> Swept | None:
    """Make every step's load, journal every attempt. None: stopped at once, journal as it is."""
    stop = Stop()
    interrupts = Interrupts(stop)
    progress = Progress(planned=None, tallies={target.name: Tally() for target in suite.targets})
    async with open_endpoint(suite, seed=seed, simulator_options=CROWDED) as url, open_lanes(suite, url, stop) as lanes:
        manifest = new_manifest(
            suite, endpoint=suite.endpoint, simulated=is_simulated(suite), seed=seed, planned=None, kind="sweep"
        )
        folder = create_run(out, manifest, suite)
        job = Job(run_id=manifest.run_id, suite=suite, seed=seed, origin_ns=manifest.origin_monotonic_ns)
        budgets = {name: lane.budget for name, lane in lanes.items()}
        sweep = Sweep(suite, climb, budgets=budgets, seed=seed, clock=MonotonicClock(), stop=stop)

        async def load() -> list[ClientHealth]:
            async with Journal(folder.journal_path()) as journal:

                def record(attempt: Attempt) -> None:
                    journal.record(attempt)
                    sweep.record(attempt)

                exchange = make_exchange(job, lanes, record=record, progress=progress, stop=stop)
                async with watched(lanes) as watch, progress_shown(progress, duration_s=None, quiet=quiet):
                    await sweep.run(exchange, lambda step: None if quiet else _tell(step, climb))
            return [watch.result()]

        stored = await send_and_store(load(), folder, stop, interrupts)
    searched = [
        Searched(target=name, met=search.met, missed=search.missed, over=search.next_level() is None)
        for name, search in sweep.searches.items()
    ]
    swept = Swept(folder=folder, outcomes=sweep.outcomes, searched=searched, interrupted=interrupts.count > 0)
    return swept if stored else None


def _tell(step: StepOutcome, climb: Climb) -> None:
    """One line of progress for each step that is over."""
    unit = "req/s" if climb.by == "rate" else "streams"
    if step.quota_per_s is not None:
        told = f"more than the suite's quota lets through for long ({step.quota_per_s:.3g} req/s)"
        print(f"{step.target} at {step.level:g} {unit}: {told}", file=sys.stderr)
        return
    verdict = "the client was late" if step.client_limited else "meets" if step.met else "misses"
    most = next(iter(step.missed), None)
    why = f", most often {most}" if most else ""
    print(f"{step.target} at {step.level:g} {unit}: {verdict} ({step.good}/{step.requests} good{why})", file=sys.stderr)


def _report(suite: Suite, climb: Climb, swept: Swept) -> SweepReport:
    manifest, data = swept.folder.read_manifest(), load_run(swept.folder)
    targets = tuple(
        report_target(each, swept.outcomes, data.columns[each.target], by=climb.by, objective=climb.objective)
        for each in swept.searched
        if each.target in data.columns
    )
    return SweepReport(
        run_id=manifest.run_id,
        suite=suite.name,
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
