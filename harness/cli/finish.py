"""What follows every load, and `harness report`: grade, summarise, draw, print."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import msgspec

from harness.cli.embedded import open_endpoint
from harness.endpoints.address import forget_aws
from harness.errors import RunInvalid
from harness.report.console import print_summary
from harness.report.derive import derive, score, spent_usd
from harness.scoring.judges import open_judges
from harness.store.run_folder import RunFolder
from harness.suite.loader import load_frozen
from harness.suite.schema import Suite


def finish(folder: RunFolder, *, as_json: bool, judge: bool) -> int:
    """Write every report of a run and print the summary; returns the exit code: 0, or 4 when it may not be believed.

    `judge`: ask the suite's judges for what they have not said yet. EndpointError: they cannot be reached.
    """
    suite = asyncio.run(_score(folder, judge=judge))
    summary, page = derive(folder, suite)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(summary), indent=2).decode())
    else:
        from rich.console import Console

        print_summary(summary, Console(), report=page)
    return RunInvalid.exit_code if any(finding.invalidates for finding in summary.findings) else 0


async def _score(folder: RunFolder, *, judge: bool) -> Suite:
    """Grade the stored answers; where judges are to be asked, at the run's own endpoint."""
    suite, manifest = load_frozen(folder.suite_path), folder.read_manifest()
    async with AsyncExitStack() as stack:
        judges = None
        if judge and suite.graders.judges:
            if manifest.simulated:
                forget_aws()
            url = await stack.enter_async_context(open_endpoint(suite, seed=manifest.seed))
            judges = await stack.enter_async_context(open_judges(suite, url, spent_usd=spent_usd(folder)))
        await score(folder, suite, judges)
    return suite
