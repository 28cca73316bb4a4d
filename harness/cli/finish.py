"""What follows every load, and `harness report`: grade, summarise, draw, print."""

from __future__ import annotations

import asyncio

import msgspec

from harness.errors import RunInvalid
from harness.report.console import print_summary
from harness.report.derive import derive, score
from harness.store.run_folder import RunFolder


def finish(folder: RunFolder, *, as_json: bool) -> int:
    """Write every report of a run and print the summary; returns the exit code: 0, or 4 when it may not be believed."""
    suite = asyncio.run(score(folder))
    summary, page = derive(folder, suite)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(summary), indent=2).decode())
    else:
        from rich.console import Console

        print_summary(summary, Console(), report=page)
    return RunInvalid.exit_code if any(finding.invalidates for finding in summary.findings) else 0
