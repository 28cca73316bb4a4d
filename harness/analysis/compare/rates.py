"""Differences of rates: pass rate overall and by tag, errors, throttled attempts. Shares of 0 … 1; + is worse."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from harness.analysis.columns import AttemptCounts, Codes, Floats
from harness.analysis.compare.comparison import Difference, add_note
from harness.analysis.compare.pairing import ArmColumns, Pairs
from harness.analysis.metrics import metric_of
from harness.analysis.stats.interval import Effect
from harness.analysis.stats.proportions import (
    clustered_difference,
    independent_difference,
    paired_difference,
    pass_all_k,
    pass_at_k,
    rule_of_three,
)
from harness.characters import counted


def compare_pass_rate(
    pairs: Pairs, *, metric: str = "pass_rate", selected: npt.NDArray[np.bool_] | None = None
) -> Difference:
    """Pass rate over the prompts that have scored answers on both sides; `selected`: one flag a prompt.

    A failed request has not passed. Unscored answers are left out, and a note counts them.
    """
    row = _compare(pairs, metric, selected)
    unscored = _unscored(pairs.baseline, selected) + _unscored(pairs.candidate, selected)
    return add_note(row, f"leaves out {counted(unscored, 'unscored answer')}") if unscored and row.n else row


def compare_repeats(pairs: Pairs) -> list[Difference]:
    """`pass@k` and `pass^k`, k being the fewest answers that a prompt has in either arm; empty below 2."""
    (before, before_n), (after, after_n) = (arm.means(arm.columns.passed) for arm in (pairs.baseline, pairs.candidate))
    shared = (before_n > 0) & (after_n > 0)
    k = int(min(before_n[shared].min(), after_n[shared].min())) if shared.any() else 0
    if k < 2:
        return []
    clusters = pairs.clusters(shared)
    counts = [
        (n[shared], np.rint(mean[shared] * n[shared]).astype(np.int64))
        for mean, n in ((before, before_n), (after, after_n))
    ]
    rows = []
    for name, chance in (("pass@", pass_at_k), ("pass^", pass_all_k)):
        old, new = (chance(answers, right, k) for answers, right in counts)
        effect = clustered_difference(1 - new, 1 - old, clusters, answers=len(clusters))
        rows.append(_row(f"{name}{k}", old, new, effect, clusters))
    return rows


def compare_error_rate(pairs: Pairs) -> Difference:
    """Requests that failed."""
    row, n = _compare(pairs, "error_rate", None), len(pairs.candidate.columns.ok)
    if row.candidate != 0:
        return row
    return add_note(row, f"no failures in {n:,} requests: the error rate is at most {rule_of_three(n):.2%} (3/n)")


def compare_throttle_rate(baseline: AttemptCounts, candidate: AttemptCounts) -> Difference:
    """Attempts that were throttled; the arms count as independent, since attempts are not paired."""
    old, new = (counts.error_kinds.get("throttled", 0) for counts in (baseline, candidate))
    effect = independent_difference(new, candidate.attempts, old, baseline.attempts)
    fewer = min(baseline.attempts, candidate.attempts)
    return Difference(
        metric="throttle_rate",
        scale="points",
        unit="share",
        baseline=old / baseline.attempts,
        candidate=new / candidate.attempts,
        n=fewer,
        clusters=fewer,
        note="of attempts",
        **msgspec.structs.asdict(effect),
    )


def _compare(pairs: Pairs, key: str, selected: npt.NDArray[np.bool_] | None) -> Difference:
    """A metric whose values are one 0/1 outcome a request, NaN where there is none."""
    metric = metric_of(key)
    assert metric.values is not None
    (before, before_n), (after, after_n) = (
        arm.means(metric.values(arm.columns)) for arm in (pairs.baseline, pairs.candidate)
    )
    shared = ~np.isnan(before) & ~np.isnan(after)
    if selected is not None:
        shared &= selected
    if not shared.any():
        note = "no prompt has a score on both sides"
        return Difference(metric=key, scale="points", unit="share", baseline=None, candidate=None, note=note)
    before, after, clusters = before[shared], after[shared], pairs.clusters(shared)
    # Signed so that + is worse: where more is better, the difference of the shares that did not pass.
    new, old = (after, before) if metric.up_is_worse else (1 - after, 1 - before)
    once = max(before_n[shared].max(), after_n[shared].max()) == 1
    answers = int(min(before_n[shared].sum(), after_n[shared].sum()))
    if once and int(clusters.max()) + 1 == len(clusters):
        return _row(key, before, after, paired_difference(new, old), clusters)
    row = _row(key, before, after, clustered_difference(new, old, clusters, answers=answers), clusters)
    return row if once else add_note(row, f"{answers:,} answers to {counted(len(before), 'prompt')}")


def _row(key: str, baseline: Floats, candidate: Floats, effect: Effect, clusters: Codes) -> Difference:
    """`baseline`, `candidate`: one share a prompt."""
    return Difference(
        metric=key,
        scale="points",
        unit="share",
        baseline=float(baseline.mean()),
        candidate=float(candidate.mean()),
        n=len(clusters),
        clusters=int(clusters.max()) + 1,
        **msgspec.structs.asdict(effect),
    )


def _unscored(arm: ArmColumns, selected: npt.NDArray[np.bool_] | None) -> int:
    unscored = arm.columns.ok & np.isnan(arm.columns.passed)
    return int(unscored.sum() if selected is None else (unscored & selected[arm.codes]).sum())
