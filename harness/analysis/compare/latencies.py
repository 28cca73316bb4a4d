"""Differences of latency quantiles: TTFT, E2E, TPOT. Over the prompts where both sides have successes; + is worse."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from harness.analysis.columns import Codes, Columns, Floats
from harness.analysis.compare.comparison import Difference, Scale, add_note
from harness.analysis.compare.pairing import ArmColumns, Pairs
from harness.analysis.metrics import Metric, PerRequest, metric_of, tpot_s, ttft_s
from harness.analysis.stats.quantiles import bounds_need, independent_clusters, quantile, samples_for_quantile
from harness.analysis.stats.time_blocks import Answers, compare_quantiles
from harness.characters import counted

Arms = list[Answers]
"""Baseline and candidate."""
EQUAL_LENGTH = "e2e_p50_equal_length"
"""E2E latency as it would be at the baseline's output length."""
TIMED_OUT = ("first_token_timeout", "total_timeout")
"""Failures that are slow answers cut off: the answer would have taken at least as long as the request lasted."""
BURSTS = "slow answers came in too few bursts to bound the difference; measure for longer"
IN_BURSTS = "slow answers came in bursts: measure for longer, not with more prompts at once"
THIN = "too few answers are this slow to bound the difference; ask for more answers"


def compare_latencies(pairs: Pairs, wanted: Iterable[tuple[str, Scale]]) -> dict[str, Difference]:
    """Each wanted metric that is a quantile, by its key. The answers are sorted once for all quantiles of a latency."""
    together: dict[tuple[PerRequest, Scale], list[Metric]] = {}
    for key, scale in wanted:
        metric = metric_of(key)
        if metric.values is not None and metric.quantile is not None:
            together.setdefault((metric.values, scale), []).append(metric)
    found: dict[str, Difference] = {}
    for (of, scale), metrics in together.items():
        values = [of(arm.columns) for arm in (pairs.baseline, pairs.candidate)]
        least = [_with_timeouts(of, arm.columns) for arm in (pairs.baseline, pairs.candidate)]
        rows = _compare(pairs, values, least, metrics, scale)
        found |= {row.metric: row for row in rows}
    return found


def compare_equal_length(pairs: Pairs) -> Difference:
    """Median E2E if the candidate's answers were as long as the baseline's: TTFT + TPOT·(L − 1) for every request.

    L is the baseline's mean output tokens for that prompt, in both arms alike; TTFT and TPOT are the request's own.
    So what is left is speed, not verbosity. It takes time as linear in tokens after the first, which streaming
    answers are; and tokens as equally long, which they are not between models of different tokenizers.
    """
    length, _ = pairs.baseline.means(np.where(pairs.baseline.columns.ok, pairs.baseline.columns.output_tokens, np.nan))

    def adjusted(arm: ArmColumns) -> Floats:
        c = arm.columns
        return ttft_s(c) + tpot_s(c) * (length[arm.codes] - 1)

    values = [adjusted(pairs.baseline), adjusted(pairs.candidate)]
    return _compare(pairs, values, values, [metric_of(EQUAL_LENGTH)], "log_ratio")[0]


def _compare(
    pairs: Pairs, values: list[Floats], least: list[Floats], metrics: Sequence[Metric], scale: Scale
) -> list[Difference]:
    """`values`, `least`: of baseline and candidate, one entry a request; `least` has time-outs by `_with_timeouts`."""
    values, least = ([np.where(each > 0, each, np.nan) for each in both] for both in (values, least))
    before_n = pairs.baseline.means(values[0])[1]
    after_n = pairs.candidate.means(values[1])[1]
    kept = (before_n > 0) & (after_n > 0)
    rows = [Difference(metric=m.key, scale=scale, unit=m.unit, baseline=None, candidate=None) for m in metrics]
    if not kept.any():
        return [add_note(row, "no prompt has a value on both sides") for row in rows]
    clusters = pairs.clusters(kept)
    code = np.full(len(pairs.prompts), -1, dtype=np.int64)
    code[kept] = clusters
    count, quantiles = int(clusters.max()) + 1, [metric.quantile or 0.5 for metric in metrics]
    arms = [_answers(arm, each, code) for arm, each in zip((pairs.baseline, pairs.candidate), values, strict=True)]
    effects = compare_quantiles(arms[1], arms[0], quantiles, logarithm=scale == "log_ratio")
    left_out = int(len(kept) - kept.sum())
    note = f"{counted(left_out, 'prompt')} without a value on both sides left out" if left_out else ""
    n, ordered = min(len(arm.values) for arm in arms), [np.sort(arm.values) for arm in arms]
    independent = independent_clusters(*(arm.clusters for arm in arms))
    measured = [
        msgspec.structs.replace(
            row,
            baseline=quantile(ordered[0], q),
            candidate=quantile(ordered[1], q),
            n=n,
            clusters=count,
            effective_clusters=independent,
            note=note,
            **msgspec.structs.asdict(effect),
        )
        for row, q, effect in zip(rows, quantiles, effects, strict=True)
    ]
    failed = [int((~arm.columns.ok).sum()) for arm in (pairs.baseline, pairs.candidate)]
    bounded = [_with_bounds_needed(row, arms, q) for row, q in zip(measured, quantiles, strict=True)]
    rows = [_with_failures(row, arms, failed, q) for row, q in zip(bounded, quantiles, strict=True)]
    return [_with_strict_reading(row, pairs, least, q) for row, q in zip(rows, quantiles, strict=True)]


def _answers(arm: ArmColumns, values: Floats, code: Codes) -> Answers:
    """The values of the prompts that are kept, with the cluster and the moment of each."""
    clusters = code[arm.codes]
    there = ~np.isnan(values) & (clusters >= 0)
    return Answers(values=values[there], clusters=clusters[there], due_s=arm.columns.due_s[there])


def _with_bounds_needed(row: Difference, arms: Arms, q: float) -> Difference:
    """How many samples and prompts or groups a quantile takes to have bounds, where these are too few.

    And why a side has no bound where they are enough.
    """
    need = bounds_need(q, *(arm.clusters for arm in arms))
    if need.met:
        open_ended = row.low is None or row.high is None
        if not open_ended:
            return add_note(row, IN_BURSTS) if row.time_limited else row
        return add_note(row, BURSTS if row.time_limited else THIN)
    few, fewest = need.clusters < need.clusters_needed, need.clusters_needed
    uneven = f" (its {row.clusters} are of unequal size and count as {need.clusters})" * (need.clusters < row.clusters)
    what = f"p{round(100 * q)} needs {samples_for_quantile(q)} samples of {fewest} prompts or groups"
    return msgspec.structs.replace(
        add_note(row, f"no bounds: {what}{uneven}"),
        n_needed=need.samples_needed,
        clusters_needed=fewest if few else None,
    )


def _with_failures(row: Difference, arms: Arms, failed: list[int], q: float) -> Difference:
    """What the quantiles and their difference are with failures as ∞, where any request failed."""
    if not any(failed):
        return row
    old, new = (_inflated(arm.values, lost, q) for arm, lost in zip(arms, failed, strict=True))
    note = f"{failed[0]} and {failed[1]} requests failed and are not in it; with failures as ∞ "
    return msgspec.structs.replace(
        add_note(row, f"{note}{_describe(old)} → {_describe(new)}"),
        baseline_inflated=old if math.isfinite(old) else None,
        candidate_inflated=new if math.isfinite(new) else None,
        inflated_estimate=_inflated_estimate(arms, failed, [old, new], q, row.scale),
    )


def _inflated(values: Floats, failed: int, q: float) -> float:
    """The q-quantile by nearest rank with so many failures as +∞, s."""
    return quantile(np.concatenate([np.sort(values), np.full(failed, np.inf)]), q)


def _inflated_estimate(arms: Arms, failed: list[int], inflated: list[float], q: float, scale: Scale) -> float:
    """The difference with failures as ∞; where both are ∞, with those that are more than the baseline's share."""
    if not all(map(math.isinf, inflated)):
        return _difference(inflated[0], inflated[1], scale)
    (old, new), (lost, lost_now) = (np.sort(arm.values) for arm in arms), failed
    more = max(0, round(lost_now - lost / (lost + len(old)) * (lost_now + len(new))))
    return _difference(quantile(old, q), _inflated(new, more, q), scale)


def _difference(baseline: float, candidate: float, scale: Scale) -> float:
    """Candidate − baseline on the scale; at most one of them is ∞."""
    if scale == "absolute":
        return candidate - baseline
    return math.inf if math.isinf(candidate) else -math.inf if math.isinf(baseline) else math.log(candidate / baseline)


def _with_strict_reading(row: Difference, pairs: Pairs, least: list[Floats], q: float) -> Difference:
    """The difference in which the baseline's failures help the candidate least, where the baseline had any.

    Over all answers, also those to prompts that the baseline lost. Time-outs count as long as they lasted, other
    failures are left out; but those of the candidate that are more than the baseline's share, of the same kind, count
    as ∞: the baseline's refusals are no excuse for the candidate's slow answers.
    """
    old, new = pairs.baseline.columns, pairs.candidate.columns
    if old.ok.all():
        return row
    beyond, slowest = 0, np.sort(least[1][~np.isnan(least[1])])
    for timed_out in (True, False):
        before, now = (~c.ok & (_timed_out(c) == timed_out) for c in (old, new))
        more = max(0, round(float(now.sum() - before.mean() * len(now))))
        beyond += more
        if timed_out and more:
            lasted = np.sort(least[1][now & ~np.isnan(least[1])])
            kept = least[1][~now & ~np.isnan(least[1])]
            slowest = np.sort(np.concatenate([kept, lasted[: max(0, len(lasted) - more)]]))
    baseline = np.sort(least[0][~np.isnan(least[0])])
    estimate = _difference(quantile(baseline, q), _inflated(slowest, beyond, q), row.scale)
    return msgspec.structs.replace(row, strict_estimate=estimate)


def _with_timeouts(of: PerRequest, c: Columns) -> Floats:
    """The values of a latency, and for a request that timed out the time that it lasted: it took that at least, s."""
    late = _timed_out(c)
    if not late.any():
        return of(c)
    values = of(dataclasses.replace(c, ok=c.ok | late))
    return np.where(late & np.isnan(values), c.done_s - c.due_s, values) if of is ttft_s else values


def _timed_out(c: Columns) -> npt.NDArray[np.bool_]:
    """Which requests failed as TIMED_OUT says. Most succeed, so only the kinds of the failed ones are read."""
    flags = ~c.ok
    flags[flags] = np.isin(c.error_kind[flags].astype(str), TIMED_OUT)
    return flags


def _describe(seconds: float) -> str:
    return f"{seconds:.3g} s" if math.isfinite(seconds) else "∞"
