"""The comparison inside a run, for its own report: every other target against the suite's baseline."""

from __future__ import annotations

from harness.analysis.columns import RunData
from harness.analysis.compare.compare import compare_targets
from harness.analysis.compare.comparison import CompareReport
from harness.analysis.compare.pairing import FinishedRun
from harness.store.manifest import Manifest
from harness.suite.suite import Suite


def has_baseline(suite: Suite) -> bool:
    """Whether the suite has a baseline and something to compare with it."""
    names = [target.name for target in suite.targets]
    return suite.baseline in names and len(names) > 1


def compare_in_run(manifest: Manifest, suite: Suite, data: RunData) -> CompareReport:
    """Each target against the suite's baseline, without exploratory rows and without answers.

    Needs `has_baseline`. CompareError as `compare_targets`: a target was not measured, or is a judge.
    """
    return compare_targets(FinishedRun(manifest=manifest, suite=suite, data=data), explore=False)
