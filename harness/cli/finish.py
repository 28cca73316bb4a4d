"""What follows every load, and `harness report`: grade, summarise, draw, print."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack

import msgspec

from harness.cli.sending import open_endpoint
from harness.endpoints.address import forget_aws
from harness.errors import EndpointError, RunInvalid
from harness.report.console import print_summary
from harness.report.derive import derive, score, spent_usd
from harness.scoring.judges import open_judges
from harness.store.run_folder import RunFolder
from harness.suite.loader import load_frozen
from harness.suite.schema import Suite

QUICK = ("--speed", "20")
"""A simulated judge answers this much quicker than a model: nobody measures how long it takes."""


def finish(folder: RunFolder, *, as_json: bool, judge: bool, quiet: bool = False) -> int:
    """Write every report of a run and print the summary; returns the exit code: 0, or 4 when it may not be believed.

    `judge`: ask the suite's judges for what they have not said yet. Where they cannot be reached, that is told on
    stderr, and what they should have graded stays unscored.
    """
    suite = load_frozen(folder.suite_path)
    try:
        asyncio.run(_score(folder, suite, judge=judge and bool(suite.graders.judges), quiet=quiet))
    except KeyboardInterrupt:
        print(f"stopped; `harness report {folder.path}` grades and reports (--judge asks judges, too)", file=sys.stderr)
        raise
    summary, page = derive(folder, suite)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(summary), indent=2).decode())
    else:
        from rich.console import Console

        print_summary(summary, Console(), report=page)
    return RunInvalid.exit_code if any(finding.invalidates for finding in summary.findings) else 0


async def _score(folder: RunFolder, suite: Suite, *, judge: bool, quiet: bool) -> None:
    """Grade the stored answers; where judges are to be asked, at the run's own endpoint."""
    if not judge:
        await score(folder, suite)
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
        await score(folder, suite, judges)
