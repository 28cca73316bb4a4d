"""Grades a run, writes its reports and prints the summary: the last part of `harness run`, all of `harness report`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import msgspec

from harness.characters import counted
from harness.cli.index import update_index
from harness.cli.options import RunContext
from harness.cli.output import print_json
from harness.cli.running.endpoint import open_endpoint, trusted_endpoint
from harness.cli.running.overrides import load_checked
from harness.cli.running.reporter import Reporter, WrittenReport, call_here, write_report
from harness.endpoints.address import forget_aws
from harness.errors import EndpointError, HarnessError, RunInvalid, StoreError
from harness.load.interrupts import Interrupts
from harness.load.limits.budget import charged_usd
from harness.report.live.grading import show_grading
from harness.scoring.judgements import read_judgements
from harness.scoring.judging.judges import open_judges
from harness.scoring.python.processes import NOT_RUN
from harness.scoring.score import Grading, score_run
from harness.store.files import find_writer, one_writer, remove_leftovers
from harness.store.opening import open_run
from harness.store.query import connect
from harness.store.run_folder import RunFolder
from harness.suite.suite import CheckFile, Suite

QUICK = ("--speed", "20")
"""A simulated judge answers faster than a model would, since its latency is not measured."""


def report_again(
    run: Path,
    context: RunContext,
    *,
    judge: bool = False,
    endpoint: str | None = None,
    check_files: Sequence[CheckFile] = (),
) -> int:
    """Grade a run that has ended, write its reports and print the summary; returns the exit code.

    A killed run is first finished from its journal. Arguments as for `grade_and_write`. StoreError: see `open_run`.
    """
    if (writer := find_writer(run)) is not None and RunFolder(run).read_manifest().state == "running":
        raise StoreError(f"{run}: is still running in {writer}; wait for it to finish")
    with one_writer(run):
        remove_leftovers(run)
        remove_leftovers(run / "plots")
        folder = open_run(run, recover=True)
        report = grade_and_write(folder, context, judge=judge, endpoint=endpoint, check_files=check_files)
    if folder.read_manifest().state != "complete":
        print(f"note: `harness run --resume {run}` sends what is missing of this run", file=sys.stderr)
    update_index(run.resolve().parent)
    return print_summary(report, as_json=context.as_json)


def print_summary(report: WrittenReport, *, as_json: bool) -> int:
    """Print the summary as text or as JSON; returns the exit code: 0, or 4 if the run is invalid."""
    if as_json:
        print_json(report.summary)
    else:
        from rich.console import Console

        from harness.report.terminal import print_report

        print_report(report.brief, Console(highlight=False), written=report.page)
    return RunInvalid.exit_code if any(finding.invalidates for finding in report.summary.findings) else 0


def grade_and_write(
    folder: RunFolder,
    context: RunContext,
    *,
    judge: bool,
    endpoint: str | None = None,
    check_files: Sequence[CheckFile] = (),
    reporter: Reporter = call_here,
) -> WrittenReport:
    """Grade a run and write its reports.

    `judge`: ask the suite's judges for missing verdicts. If they cannot be reached, this warns on stderr, and the
    answers stay unscored.
    `endpoint`, `check_files`: from the user. The run's folder may be somebody else's, so no code from it is run, and
    of the endpoints that it names only AWS and this machine are used (HarnessError for others).
    """
    suite = folder.read_suite()
    try:
        judge = judge and bool(suite.graders.judges)
        if judge:
            suite = msgspec.structs.replace(suite, endpoint=trusted_endpoint(suite.endpoint, endpoint, folder.path))
        _run_grading(_grade(folder, suite, context, judge=judge, check_files=check_files), context.interrupts)
    except KeyboardInterrupt:
        print(
            f"stopped; `harness run --resume {folder.path}` grades and reports the run, `harness report {folder.path}` "
            "without asking judges",
            file=sys.stderr,
        )
        raise
    if suite.graders.check_files and (count := _count_scores(folder, reason=NOT_RUN)):
        print(f"note: {counted(count, 'check')} {NOT_RUN}", file=sys.stderr)
    return reporter(write_report, folder, suite, context.plots)


def check_files_of(path: Path, run: RunFolder) -> tuple[CheckFile, ...]:
    """The check files of the user's suite file. HarnessError: the run is of another suite."""
    suite, ran = load_checked(path), run.read_manifest().suite
    if suite.name != ran:
        raise HarnessError(
            f"--suite {path}: is the suite {suite.name!r}, but the run is of {ran!r}; pass the file of that suite"
        )
    return suite.graders.check_files


def _run_grading(grading: Coroutine[Any, Any, None], interrupts: Interrupts | None) -> None:
    """Run the coroutine. KeyboardInterrupt: interrupted; outside the main thread only `interrupts` can do that."""
    if interrupts is None:
        asyncio.run(grading)
        return

    async def run() -> None:
        task = asyncio.current_task()
        assert task is not None
        with interrupts.handled(task.cancel):
            await grading

    try:
        asyncio.run(run())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _grade(
    folder: RunFolder, suite: Suite, context: RunContext, *, judge: bool, check_files: Sequence[CheckFile]
) -> None:
    """Grade the stored answers; judges are asked at `suite.endpoint`."""
    grading = Grading()
    if not judge:
        async with _grading_shown(grading, quiet=context.quiet):
            await score_run(folder, suite, None, check_files, grading)
        return
    if not context.quiet:
        print("asking the judges; every verdict is stored at once", file=sys.stderr)
    manifest = folder.read_manifest()
    if manifest.simulated:
        forget_aws()
    async with AsyncExitStack() as stack:
        judges = None
        try:
            url = await stack.enter_async_context(open_endpoint(suite, seed=manifest.seed, simulator_options=QUICK))
            judges = await stack.enter_async_context(open_judges(suite, url, spent_usd=_spent_usd(folder, suite)))
        except EndpointError as error:
            later = f"ask them later with `harness report {folder.path} --judge`"
            print(f"warning: the judges cannot be reached: {error}; {later}", file=sys.stderr)
        async with _grading_shown(grading, quiet=context.quiet):
            await score_run(folder, suite, judges, check_files, grading)


@asynccontextmanager
async def _grading_shown(grading: Grading, *, quiet: bool) -> AsyncIterator[None]:
    """Show how far the grading is inside this context, unless quiet."""
    showing = None if quiet else asyncio.create_task(show_grading(grading))
    try:
        yield
    finally:
        if showing is not None:
            showing.cancel()
            await asyncio.wait([showing])


def _spent_usd(folder: RunFolder, suite: Suite) -> float:
    """What the run's attempts and judgements so far count in the budget."""
    judged = sum(each.cost_usd or 0.0 for each in read_judgements(folder.judgements_path))
    with closing(connect([folder])) as connection:
        return charged_usd(connection, suite) + judged


def _count_scores(folder: RunFolder, *, reason: str) -> int:
    """How many scores have this reason."""
    with closing(connect([folder])) as connection:
        ((count,),) = connection.execute("SELECT count(*) FROM scores WHERE reason = ?", [reason]).fetchall()
    return int(count)
