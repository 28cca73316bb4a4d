"""Differences of rates: pass rate, its tags, errors, throttled attempts. Shares of 0 … 1; + is worse."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from harness.analysis.columns import AttemptCounts, Codes, Floats
from harness.analysis.compare.comparison import Measured
from harness.analysis.compare.pairs import ArmColumns, Pairs
from harness.analysis.counted import counted
from harness.analysis.stats.interval import Effect
from harness.analysis.stats.proportions import (
    clustered_difference,
    independent_difference,
    paired_difference,
    pass_all_k,
    pass_at_k,
    rule_of_three,
)


def compare_pass_rate(pairs: Pairs, *, metric: str, asked: npt.NDArray[np.bool_] | None = None) -> Measured:
    """Pass rate over the prompts that both answered and whose answers were scored; `asked`: one flag a prompt.

    A failed request was scored as not passed. An answer that no check could judge is left out, and counted.
    """
    measured = _compare(pairs, metric, pairs.baseline.columns.passed, pairs.candidate.columns.passed, asked, sign=-1)
    unscored = _unscored(pairs.baseline, asked) + _unscored(pairs.candidate, asked)
    told = (f"{counted(unscored, 'answer')} unscored and left out",) if unscored and measured.n else ()
    return msgspec.structs.replace(measured, notes=(*measured.notes, *told))


def compare_repeats(pairs: Pairs) -> list[Measured]:
    """`pass@k` and `pass^k`, k the fewest answers that a prompt has in either arm; none below 2."""
    passed = [(arm, arm.columns.passed) for arm in (pairs.baseline, pairs.candidate)]
    (before, before_n), (after, after_n) = (arm.means(values) for arm, values in passed)
    kept = (before_n > 0) & (after_n > 0)
    k = int(min(before_n[kept].min(), after_n[kept].min())) if kept.any() else 0
    if k < 2:
        return []
    clusters = pairs.clusters(kept)
    counts = [
        (n[kept], np.rint(mean[kept] * n[kept]).astype(np.int64)) for mean, n in ((before, before_n), (after, after_n))
    ]
    rows = []
    for name, chance in (("pass@", pass_at_k), ("pass^", pass_all_k)):
        old, new = (chance(answers, right, k) for answers, right in counts)
        rows.append(
            Measured(
                metric=f"{name}{k}",
                scale="points",
                unit="share",
                baseline=float(old.mean()),
                candidate=float(new.mean()),
                effect=clustered_difference(1 - new, 1 - old, clusters, answers=len(clusters)),
                n=len(clusters),
                clusters=int(clusters.max()) + 1,
            )
        )
    return rows


def compare_error_rate(pairs: Pairs) -> Measured:
    """Requests that failed."""
    baseline, candidate = ((~arm.columns.ok).astype(np.float64) for arm in (pairs.baseline, pairs.candidate))
    measured = _compare(pairs, "error_rate", baseline, candidate, None, sign=1)
    if measured.candidate == 0:
        n = len(candidate)
        bound = f"no failure in {n:,} requests: at most {rule_of_three(n):.2%} (3/n) fail"
        return msgspec.structs.replace(measured, notes=(*measured.notes, bound))
    return measured


def compare_throttle_rate(baseline: AttemptCounts, candidate: AttemptCounts) -> Measured:
    """Attempts that were throttled; the arms count as independent, for attempts have no partner."""
    hit = [counts.error_kinds.get("throttled", 0) for counts in (baseline, candidate)]
    effect = independent_difference(hit[1], candidate.attempts, hit[0], baseline.attempts)
    return Measured(
        metric="throttle_rate",
        scale="points",
        unit="share",
        baseline=hit[0] / baseline.attempts,
        candidate=hit[1] / candidate.attempts,
        effect=effect,
        n=min(baseline.attempts, candidate.attempts),
        clusters=min(baseline.attempts, candidate.attempts),
        none_at_all=not any(hit),
        notes=("of attempts",),
    )


def _compare(
    pairs: Pairs,
    metric: str,
    baseline: Floats,
    candidate: Floats,
    asked: npt.NDArray[np.bool_] | None,
    *,
    sign: int,
) -> Measured:
    """`baseline`, `candidate`: one 0/1 outcome a request, NaN where there is none. `sign`: −1 where more is better."""
    before, before_n = pairs.baseline.means(baseline)
    after, after_n = pairs.candidate.means(candidate)
    kept = ~np.isnan(before) & ~np.isnan(after)
    if asked is not None:
        kept &= asked
    if not kept.any():
        return Measured(metric=metric, scale="points", unit="share", notes=("no prompt has a score on both sides",))
    clusters = pairs.clusters(kept)
    once = max(before_n[kept].max(), after_n[kept].max()) == 1
    answers = int(min(before_n[kept].sum(), after_n[kept].sum()))
    # Signed so that + is worse: the difference of the shares that did not pass.
    worse = [values[kept] if sign > 0 else 1 - values[kept] for values in (after, before)]
    effect = _effect(worse[0], worse[1], clusters, once=bool(once), answers=answers)
    notes = () if once else (f"{answers:,} answers to {counted(int(kept.sum()), 'prompt')}",)
    return Measured(
        metric=metric,
        scale="points",
        unit="share",
        baseline=float(before[kept].mean()),
        candidate=float(after[kept].mean()),
        effect=effect,
        n=int(kept.sum()),
        clusters=int(clusters.max()) + 1,
        none_at_all=not worse[0].any() and not worse[1].any(),
        notes=notes,
    )


def _effect(candidate: Floats, baseline: Floats, clusters: Codes, *, once: bool, answers: int) -> Effect:
    if once and int(clusters.max()) + 1 == len(clusters):
        return paired_difference(candidate, baseline)
    return clustered_difference(candidate, baseline, clusters, answers=answers)


def _unscored(arm: ArmColumns, asked: npt.NDArray[np.bool_] | None) -> int:
    unscored = arm.columns.ok & np.isnan(arm.columns.passed)
    return int(unscored.sum() if asked is None else (unscored & asked[arm.codes]).sum())
