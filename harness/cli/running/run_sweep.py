"""`harness sweep` once the suite is loaded: send the load of every step, find the knees, report."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Self

from harness.analysis.stats.quantiles import samples_for_quantile
from harness.analysis.sweep import SweepReport, make_sweep_report, write_sweep
from harness.cli.index import update_index
from harness.cli.options import RunContext
from harness.cli.output import print_json
from harness.cli.places import uploaded_run
from harness.cli.running.send_load import SentLoad, send_load
from harness.endpoints.address import aws_settings_restored
from harness.errors import INTERRUPTED_CODE, RunInvalid
from harness.load.plan import Part
from harness.load.progress import Progress
from harness.load.session import Job, make_send, open_channels, start_session, watch_process
from harness.load.stop import Stop
from harness.load.sweep.options import SweepOptions, make_climb, swept_suite
from harness.load.sweep.step import StepOutcome
from harness.load.sweep.sweep import Climb, Sweep
from harness.store.client_health import ClientHealth
from harness.store.journal import Journal
from harness.store.records import Attempt
from harness.store.run_folder import RunFolder
from harness.suite.suite import Suite

CROWDED = ("--capacity", "16", "--capacity", "global=32")
"""Limits the embedded Bedrock's capacity, since without a limit there would be no knee."""


def run_sweep(suite: Suite, options: SweepOptions, context: RunContext) -> int:
    """Sweep and report; returns the exit code, 4 if a knee is unknown. HarnessError: before anything is sent."""
    code = _sweep(suite, options, context)
    update_index(context.out, create=True)
    return code


def _sweep(suite: Suite, options: SweepOptions, context: RunContext) -> int:
    climb = make_climb(suite, options, needed=samples_for_quantile(options.share))
    suite = swept_suite(suite, climb)
    sender = _StepSender(suite, climb, context)
    with ExitStack() as locks:
        with aws_settings_restored():
            sent = send_load(suite, context, sender.open, kind="sweep", simulator_options=CROWDED, locks=locks)
        if sent is None:
            return INTERRUPTED_CODE
        report = make_sweep_report(sent.folder, climb, sender.sweep.outcomes, sender.sweep.searches)
        code = _report(sent, suite, report, context)
    return uploaded_run(context.bucket, sent.folder.path, code, quiet=context.quiet)


class _StepSender:
    """Sends the steps of all targets' searches: one target's one after the other, all targets at the same time."""

    sweep: Sweep
    """Set by `open`."""

    def __init__(self, suite: Suite, climb: Climb, context: RunContext) -> None:
        self._suite = suite
        self._climb = climb
        self._context = context

    @asynccontextmanager
    async def open(self, url: str, stop: Stop) -> AsyncIterator[Self]:
        async with open_channels(self._suite, url, stop) as self._channels:
            self.sweep = Sweep(self._suite, self._climb, channels=self._channels, seed=self._context.seed, stop=stop)
            yield self

    async def send(self, job: Job, folder: RunFolder, progress: Progress, stop: Stop) -> list[ClientHealth]:
        session = start_session(job, Part(suite=self._suite), self._channels, progress, stop)
        async with Journal(folder.journal_path()) as journal:

            def record(attempt: Attempt) -> None:
                journal.record(attempt)
                self.sweep.record(attempt)

            async with watch_process(self._channels, progress.lag) as watch:
                await self.sweep.run(make_send(session, record), self._print_step)
        return [watch.result()]

    def _print_step(self, step: StepOutcome) -> None:
        """One line of progress for each finished step."""
        if not self._context.quiet:
            unit = "req/s" if self._climb.by == "rate" else "streams"
            print(f"{step.target} at {step.level:g} {unit}: {_outcome(step)}", file=sys.stderr)


def _outcome(step: StepOutcome) -> str:
    """`misses (30/36 good, most often ttft)`."""
    if step.quota_per_s is not None:
        return f"more than the suite's quota sustains ({step.quota_per_s:.3g} req/s)"
    verdict = "the client was late" if step.client_limited else "meets" if step.met else "misses"
    most = next(iter(step.missed), None)
    return f"{verdict} ({step.good}/{step.requests} good{f', most often {most}' if most else ''})"


def _report(sent: SentLoad, suite: Suite, report: SweepReport, context: RunContext) -> int:
    """Write and print the report of a sweep; returns the exit code."""
    from harness.report.write import write_sweep_report

    write_sweep(sent.folder.path, report)
    page = write_sweep_report(sent.folder, suite, report, context.plots)
    if context.as_json:
        print_json(report)
    else:
        from rich.console import Console

        from harness.report.sweep.sections import sweep_report
        from harness.report.terminal import print_report

        print_report(sweep_report(report), Console(highlight=False), written=page)
    if sent.interrupted:
        return INTERRUPTED_CODE
    return RunInvalid.exit_code if any(finding.invalidates for finding in report.findings) else 0
