"""Expected churn from earlier runs, for a comparison whose own run asked nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from harness.analysis.columns import Columns
from harness.analysis.compare.comparison import CompareReport, Comparison
from harness.analysis.compare.flips import count_unscored, find_flips
from harness.analysis.compare.pairing import FinishedRun, pair
from harness.analysis.loader import load_readable_run
from harness.analysis.past_runs import MOST_RUNS, find_past_runs
from harness.characters import counted


def with_past_changes(report: CompareReport, baseline: FinishedRun) -> CompareReport:
    """The report with how many prompts an unchanged model would change, where the compared runs do not show it.

    From the baseline's target in its own run and up to MOST_RUNS valid runs of the same suite digest before it: the
    mean share of prompts that changed from one of them to the next, which needs no model of the answers. Comparisons
    stay as they are without such runs, and where the two sides have not as many answers each as those runs.
    """
    if baseline.folder is None or all(c.expected_changes is not None for c in report.comparisons):
        return report
    runs = [*_earlier(baseline), baseline.data.columns]
    return replace(report, comparisons=tuple(_with_past_changes(c, runs) for c in report.comparisons))


def _with_past_changes(c: Comparison, runs: list[dict[str, Columns]]) -> Comparison:
    if c.expected_changes is not None:
        return c
    columns = [run[c.baseline.target] for run in runs if c.baseline.target in run]
    shares = list(_shares_changed(columns))
    if not shares or c.candidate.requests > c.prompts or c.baseline.requests > c.prompts:
        return c
    expected = float(np.mean(shares)) * (c.prompts - c.unscored)
    return replace(c, expected_changes=expected, expected_from=f"{counted(len(shares), 'pair')} of earlier runs")


def _shares_changed(columns: list[Columns]) -> Iterator[float]:
    """From each run to the next: prompts that changed / prompts scored in both."""
    for before, after in pairwise(columns):
        pairs = pair(before, after)
        scored = len(pairs.prompts) - count_unscored(pairs)
        if scored:
            yield len(find_flips(pairs, {})) / scored


def _earlier(baseline: FinishedRun) -> list[dict[str, Columns]]:
    """The rows of the latest runs before the baseline's, oldest first."""
    assert baseline.folder is not None
    results: Path = baseline.folder.path.resolve().parent
    digest = baseline.manifest.suite_digest
    past = find_past_runs(results, baseline.manifest, baseline.suite)
    loaded = (load_readable_run(run.folder) for run in reversed(past) if run.manifest.suite_digest == digest)
    latest = [data.columns for data in islice(filter(None, loaded), MOST_RUNS)]
    return latest[::-1]
