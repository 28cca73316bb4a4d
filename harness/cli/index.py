"""Brings the index of a results folder up to date after a command."""

from __future__ import annotations

import sys
from pathlib import Path

from harness.cli.places import RESULTS


def update_index(results: Path, *, create: bool = False) -> None:
    """Write `index.html` over all runs in a folder. If that is impossible, only warn: the run itself is fine.

    `create`: also where there is none. Otherwise only results/ gets a new one, since another folder that holds a run
    may hold much else.
    """
    from harness.errors import StoreError
    from harness.report.index import write_index

    try:
        write_index(results, create=create or results.resolve() == RESULTS.resolve())
    except (StoreError, OSError) as error:
        print(f"warning: the index of the runs is not up to date: {error}", file=sys.stderr)
