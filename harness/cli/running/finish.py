"""What follows every load, and `harness report`: grade, summarise, draw, print."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from harness.analysis.counted import counted
from harness.cli.running.overrides import load_checked
from harness.cli.running.sending import open_endpoint, trusted_endpoint
from harness.endpoints.address import forget_aws
from harness.errors import EndpointError, HarnessError, RunInvalid
from harness.report.derive import count_scores, derive, score, spent_usd
from harness.report.run.terminal import print_summary
from harness.scoring.judging.judges import open_judges
from harness.scoring.python.processes import NOT_RUN
from harness.store.run_folder import RunFolder
from harness.suite.suite import CheckFile, Suite

QUICK = ("--speed", "20")
"""A simulated judge answers this much quicker than a model: nobody measures how long it takes."""


def finish(
    folder: RunFolder,
    *,
    as_json: bool,
    judge: bool,
    endpoint: str | None = None,
    check_files: Sequence[CheckFile] = (),
    quiet: bool = False,
) -> int:
    """Write every report of a run and print the summary; returns the exit code: 0, or 4 when it may not be believed.

    `endpoint`, `check_files`: those that the user gave. The run's folder may be somebody else's: it names no code, and
    no other host than AWS and this machine (HarnessError).
    `judge`: ask the suite's judges for what they have not said yet. Where they cannot be reached, that is told on
    stderr, and what they should have graded stays unscored.
    """
    suite = folder.read_suite()
    try:
        judge = judge and bool(suite.graders.judges)
        if judge:
            suite = msgspec.structs.replace(suite, endpoint=trusted_endpoint(suite.endpoint, endpoint, folder.path))
        asyncio.run(_score(folder, suite, judge=judge, check_files=check_files, quiet=quiet))
    except KeyboardInterrupt:
        print(f"stopped; `harness report {folder.path}` grades and reports (--judge asks judges, too)", file=sys.stderr)
        raise
    if suite.graders.check_files and (count := count_scores(folder, reason=NOT_RUN)):
        print(f"note: {counted(count, 'check')} {NOT_RUN}", file=sys.stderr)
    summary, page = derive(folder, suite)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(summary), indent=2).decode())
    else:
        from rich.console import Console

        print_summary(summary, Console(), report=page)
    return RunInvalid.exit_code if any(finding.invalidates for finding in summary.findings) else 0


def check_files_of(path: Path, run: RunFolder) -> tuple[CheckFile, ...]:
    """The check files of the suite file that the user names to grade a run with. HarnessError: it is another suite."""
    suite, ran = load_checked(path), run.read_manifest().suite
    if suite.name != ran:
        raise HarnessError(f"--suite {path}: is the suite {suite.name!r}, not {ran!r}, which was run; name that one")
    return suite.graders.check_files


async def _score(
    folder: RunFolder, suite: Suite, *, judge: bool, check_files: Sequence[CheckFile], quiet: bool
) -> None:
    """Grade the stored answers; where judges are to be asked, at the run's own endpoint."""
    if not judge:
        await score(folder, suite, None, check_files)
        return
    if not quiet:
        print("asking the judges; what they have said is kept, whatever happens", file=sys.stderr)
    manifest = folder.read_manifest()
    if manifest.simulated:
        forget_aws()
    async with AsyncExitStack() as stack:
        judges = None
        try:
            url = await stack.enter_async_context(open_endpoint(suite, seed=manifest.seed, simulator_options=QUICK))
            judges = await stack.enter_async_context(open_judges(suite, url, spent_usd=spent_usd(folder)))
        except EndpointError as error:
            later = f"`harness report {folder.path} --judge` asks them later"
            print(f"warning: the judges cannot be asked: {error}; {later}", file=sys.stderr)
        await score(folder, suite, judges, check_files)
