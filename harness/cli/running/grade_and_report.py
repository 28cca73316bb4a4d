"""Grades a run, writes its reports and prints the summary: the last part of `harness run`, all of `harness report`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack, closing
from pathlib import Path

import msgspec

from harness.characters import counted
from harness.cli.options import RunContext
from harness.cli.output import print_json
from harness.cli.running.endpoint import open_endpoint, trusted_endpoint
from harness.cli.running.overrides import load_checked
from harness.cli.running.reporter import Reporter, write_report
from harness.endpoints.address import forget_aws
from harness.errors import EndpointError, HarnessError, RunInvalid
from harness.scoring.judgements import read_judgements
from harness.scoring.judging.judges import open_judges
from harness.scoring.python.processes import NOT_RUN
from harness.scoring.score import score_run
from harness.store.query import connect
from harness.store.run_folder import RunFolder
from harness.suite.suite import CheckFile, Suite

QUICK = ("--speed", "20")
"""A simulated judge answers faster than a model would, since its latency is not measured."""


def grade_and_report(
    folder: RunFolder,
    context: RunContext,
    *,
    judge: bool,
    endpoint: str | None = None,
    check_files: Sequence[CheckFile] = (),
    reporter: Reporter = write_report,
) -> int:
    """Grade a run, write its reports and print the summary; returns the exit code: 0, or 4 if the run is invalid.

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
        asyncio.run(_grade(folder, suite, context, judge=judge, check_files=check_files))
    except KeyboardInterrupt:
        print(
            f"stopped; to grade and report the run, use `harness report {folder.path}` (with --judge to ask judges)",
            file=sys.stderr,
        )
        raise
    if suite.graders.check_files and (count := _count_scores(folder, reason=NOT_RUN)):
        print(f"note: {counted(count, 'check')} {NOT_RUN}", file=sys.stderr)
    written = reporter(folder, suite)
    if context.as_json:
        print_json(written.summary)
    else:
        from rich.console import Console

        from harness.report.terminal import print_report

        print_report(written.brief, Console(highlight=False), written=written.page)
    return RunInvalid.exit_code if any(finding.invalidates for finding in written.summary.findings) else 0


def check_files_of(path: Path, run: RunFolder) -> tuple[CheckFile, ...]:
    """The check files of the user's suite file. HarnessError: the run is of another suite."""
    suite, ran = load_checked(path), run.read_manifest().suite
    if suite.name != ran:
        raise HarnessError(
            f"--suite {path}: is the suite {suite.name!r}, but the run is of {ran!r}; pass the file of that suite"
        )
    return suite.graders.check_files


async def _grade(
    folder: RunFolder, suite: Suite, context: RunContext, *, judge: bool, check_files: Sequence[CheckFile]
) -> None:
    """Grade the stored answers; judges are asked at `suite.endpoint`."""
    if not judge:
        await score_run(folder, suite, None, check_files)
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
            judges = await stack.enter_async_context(open_judges(suite, url, spent_usd=_spent_usd(folder)))
        except EndpointError as error:
            later = f"ask them later with `harness report {folder.path} --judge`"
            print(f"warning: the judges cannot be reached: {error}; {later}", file=sys.stderr)
        await score_run(folder, suite, judges, check_files)


def _spent_usd(folder: RunFolder) -> float:
    """The known cost of the run's attempts and judgements so far."""
    judged = sum(each.cost_usd or 0.0 for each in read_judgements(folder.judgements_path))
    with closing(connect([folder])) as connection:
        ((answered,),) = connection.execute("SELECT coalesce(sum(cost_usd), 0) FROM attempts").fetchall()
    return float(answered) + judged


def _count_scores(folder: RunFolder, *, reason: str) -> int:
    """How many scores have this reason."""
    with closing(connect([folder])) as connection:
        ((count,),) = connection.execute("SELECT count(*) FROM scores WHERE reason = ?", [reason]).fetchall()
    return int(count)
