"""How often the targets of a suite stalled in its latest runs: what a dry run counts with."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from harness.analysis.columns import Columns
from harness.analysis.compare.sample_size.detectable import ASSUMED_STALLS, Stalls
from harness.analysis.loader import load_readable_run
from harness.analysis.past_runs import MOST_RUNS, valid_runs
from harness.analysis.stalls import Stall, find_stalls
from harness.characters import counted, rounded
from harness.suite.suite import Suite


def past_stalls(results: Path, suite: Suite) -> Stalls:
    """How the suite's targets stalled in its latest valid runs at the same endpoint; ASSUMED_STALLS without such runs.

    At most MOST_RUNS of them, each with two targets or more: a stall is what one target had and another had not. Where
    none was seen in M minutes, 3/M a minute, the one-sided 95 % bound, but no more than is assumed without a history.
    """
    names, found = {target.name for target in suite.targets}, list[Stall]()
    minutes, runs = 0.0, 0
    for run_id, columns in islice(_latest(results, suite), MOST_RUNS):
        asked = [arm for name, arm in columns.items() if name in names and arm.ok.any()]
        runs += bool(asked)
        for arm in asked:
            other = next(each for each in columns.values() if each is not arm)
            found += find_stalls(arm, other, run_id=run_id, together=True).stalls
            minutes += float(np.ptp(arm.due_s)) / 60
    if not minutes:
        return ASSUMED_STALLS
    source = f"in {rounded(minutes, 3)} target-minutes of the last {counted(runs, 'run') if runs > 1 else 'run'}"
    if not found:
        return Stalls(a_minute=min(ASSUMED_STALLS.a_minute, 3 / minutes), source=f"none was seen {source}")
    seconds = float(np.mean([stall.seconds for stall in found]))
    return Stalls(a_minute=len(found) / minutes, seconds=seconds, source=f"as seen {source}")


def _latest(results: Path, suite: Suite) -> Iterator[tuple[str, dict[str, Columns]]]:
    """Valid runs of the suite with the rows of two targets or more, the latest first."""
    for run in valid_runs(results, lambda other: (other.suite, other.endpoint) == (suite.name, suite.endpoint)):
        data = load_readable_run(run.folder)
        if data is not None and len(data.columns) > 1:
            yield run.manifest.run_id, data.columns
