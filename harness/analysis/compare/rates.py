"""Differences of rates: pass rate overall and by tag, errors, throttled attempts. Shares of 0 … 1; + is worse."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from harness.analysis.columns import Codes, Floats
from harness.analysis.compare.comparison import Difference, add_note
from harness.analysis.compare.pairing import ArmColumns, Pairs
from harness.analysis.metrics import metric_of
from harness.analysis.stats.bursts import Shares, time_error, widen
from harness.analysis.stats.interval import Effect
from harness.analysis.stats.proportions import (
    Events,
    clustered_difference,
    clustered_interval,
    effect_of,
    events_interval,
    paired_difference,
    paired_interval,
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
    return add_note(row, _none_in(n, "failures", "request", "error rate")) if row.candidate == 0 else row


def compare_throttle_rate(pairs: Pairs) -> Difference:
    """Throttled of all attempts, those of a prompt or group together and by blocks of time. `n` counts attempts."""
    clusters = pairs.clusters(np.ones(len(pairs.prompts), dtype=np.bool_))
    (new, new_parts), (old, old_parts) = (_throttles(arm, clusters) for arm in (pairs.candidate, pairs.baseline))
    interval = events_interval(new, old)
    extra = time_error(new_parts, old_parts, together=pairs.together)
    effect = widen(effect_of(new.share - old.share, interval), interval, extra)
    attempts = [int(each.trials.sum()) for each in (new, old)]
    row = Difference(
        metric="throttle_rate",
        scale="points",
        unit="share",
        baseline=old.share,
        candidate=new.share,
        n=min(attempts),
        clusters=len(new.trials),
        note="of attempts",
        **msgspec.structs.asdict(effect),
    )
    nothing = [] if new.share else [_none_in(attempts[0], "throttles", "attempt", "throttle rate")]
    return add_note(row, *nothing, *_bursts(effect, "throttles"))


def _throttles(arm: ArmColumns, clusters: Codes) -> tuple[Events, Shares]:
    """The throttled attempts by cluster, and each request's part in their share.

    The number of attempts counts as given: throttling makes more attempts, so a ratio's own residuals,
    throttled − share · attempts, make bursts smaller the more there are, and their interval covers 91 %.
    """
    c, codes = arm.columns, clusters[arm.codes]
    throttled = np.zeros(len(codes)) if c.throttled is None else c.throttled.astype(np.float64)
    events = Events(events=np.bincount(codes, weights=throttled), trials=np.bincount(codes, weights=c.attempts))
    parts = throttled / events.trials.sum() - events.share / len(codes)
    return events, Shares(parts=parts, clusters=codes, due_s=c.due_s)


def _none_in(n: int, what: str, of: str, rate: str) -> str:
    """`no failures in 40 requests: the error rate is at most 7.49% (one-sided 95%, 3/n)`."""
    return f"no {what} in {counted(n, of)}: the {rate} is at most {rule_of_three(n):.2%} (one-sided 95%, 3/n)"


def _bursts(effect: Effect, what: str) -> list[str]:
    return [f"{what} came in bursts: measure for longer, not with more prompts at once"] if effect.time_limited else []


def _compare(pairs: Pairs, key: str, selected: npt.NDArray[np.bool_] | None) -> Difference:
    """A metric whose values are one 0/1 outcome a request, NaN where there is none."""
    metric = metric_of(key)
    assert metric.values is not None
    values = [metric.values(arm.columns) for arm in (pairs.baseline, pairs.candidate)]
    (before, before_n), (after, after_n) = (
        arm.means(each) for arm, each in zip((pairs.baseline, pairs.candidate), values, strict=True)
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
    if once and int(clusters.max()) + 1 == len(clusters):
        effect, interval = paired_difference(new, old), paired_interval(new, old)
    else:
        answers = int(min(before_n[shared].sum(), after_n[shared].sum()))
        interval = clustered_interval(new, old, clusters, answers=answers)
        effect = effect_of(float(new.mean() - old.mean()), interval)
    failures = [
        _failures(arm, each, shared, clusters)
        for arm, each in zip((pairs.candidate, pairs.baseline), reversed(values), strict=True)
    ]
    effect = widen(effect, interval, time_error(failures[0], failures[1], together=pairs.together))
    row = add_note(_row(key, before, after, effect, clusters), *_bursts(effect, "failures"))
    return row if once else add_note(row, f"{answers:,} answers to {counted(len(before), 'prompt')}")


def _failures(arm: ArmColumns, values: Floats, shared: npt.NDArray[np.bool_], clusters: Codes) -> Shares:
    """The failed requests among those that have a value, each prompt of `shared` weighing the same.

    Answers that do not pass depend on their prompt, and failures on time: so for a pass rate as for an error rate.
    """
    place = np.full(len(shared), -1, dtype=np.int64)
    place[shared] = np.arange(int(shared.sum()))
    there = ~np.isnan(values) & shared[arm.codes]
    prompt, failed = place[arm.codes[there]], ~arm.columns.ok[there]
    weights = 1 / (np.bincount(prompt, minlength=int(shared.sum()))[prompt] * shared.sum())
    parts = weights * (failed - float(weights @ failed))
    return Shares(parts=parts, clusters=clusters[prompt], due_s=arm.columns.due_s[there])


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
