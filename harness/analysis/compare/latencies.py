"""Differences of latency quantiles: TTFT, E2E, TPOT. Over the prompts where both sides have successes; + is worse."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from harness.analysis import metrics
from harness.analysis.columns import Codes, Columns, Floats
from harness.analysis.compare.comparison import Measured, Scale
from harness.analysis.compare.pairs import ArmColumns, Pairs
from harness.analysis.counted import counted
from harness.analysis.stats.interval import Effect
from harness.analysis.stats.means import cluster_codes
from harness.analysis.stats.quantiles import (
    clusters_for_quantile,
    independent_clusters,
    is_bounded,
    quantile,
    quantile_ratios,
    samples_for_quantile,
)

LATENCIES: Mapping[str, Callable[[Columns], Floats]] = {
    "ttft": metrics.ttft_s,
    "e2e": metrics.e2e_s,
    "tpot": metrics.tpot_s,
}
EQUAL_LENGTH = "e2e_p50_equal_length"
"""E2E latency as it would be at the baseline's output length."""
_QUANTILE = re.compile(r"(ttft|e2e|tpot)_p(50|90|95|99)")


def parse_latency(metric: str) -> tuple[str, float] | None:
    """`ttft_p95` → (`ttft`, 0.95); None for any other metric."""
    found = _QUANTILE.fullmatch(metric)
    return (found[1], int(found[2]) / 100) if found else None


def compare_latencies(
    pairs: Pairs, wanted: Iterable[tuple[str, Scale]], *, seed: int, resamples: int
) -> dict[str, Measured]:
    """Each wanted quantile, by metric. The quantiles of one latency share their resamples."""
    together: dict[tuple[str, Scale], list[float]] = {}
    for metric, scale in wanted:
        parsed = parse_latency(metric)
        if parsed is not None:
            together.setdefault((parsed[0], scale), []).append(parsed[1])
    found: dict[str, Measured] = {}
    for (name, scale), quantiles in together.items():
        values = [LATENCIES[name](arm.columns) for arm in (pairs.baseline, pairs.candidate)]
        labels = [f"{name}_p{round(100 * q)}" for q in quantiles]
        rows = _compare(pairs, values[0], values[1], labels, quantiles, scale, seed=seed, resamples=resamples)
        found |= {row.metric: row for row in rows}
    return found


def compare_equal_length(pairs: Pairs, *, seed: int, resamples: int) -> Measured:
    """Median E2E if the candidate's answers were as long as the baseline's: TTFT + TPOT·(L − 1) for every request.

    L is the baseline's mean output tokens for that prompt, in both arms alike; TTFT and TPOT are the request's own.
    So what is left is speed, not verbosity. It takes time as linear in tokens after the first, which streaming
    answers are; and tokens as equally long, which they are not between models of different tokenizers.
    """
    length, _ = pairs.baseline.means(np.where(pairs.baseline.columns.ok, pairs.baseline.columns.output_tokens, np.nan))

    def adjusted(arm: ArmColumns) -> Floats:
        c = arm.columns
        return metrics.ttft_s(c) + metrics.tpot_s(c) * (length[arm.codes] - 1)

    values = adjusted(pairs.baseline), adjusted(pairs.candidate)
    return _compare(pairs, *values, [EQUAL_LENGTH], [0.5], "log_ratio", seed=seed, resamples=resamples)[0]


def _compare(
    pairs: Pairs,
    baseline: Floats,
    candidate: Floats,
    labels: list[str],
    quantiles: list[float],
    scale: Scale,
    *,
    seed: int,
    resamples: int,
) -> list[Measured]:
    values = [np.where(each > 0, each, np.nan) for each in (baseline, candidate)]
    before_n = pairs.baseline.means(values[0])[1]
    after_n = pairs.candidate.means(values[1])[1]
    kept = (before_n > 0) & (after_n > 0)
    if not kept.any():
        told = "no prompt has a value on both sides"
        return [Measured(metric=label, scale=scale, unit="s", notes=(told,)) for label in labels]
    group = cluster_codes(pairs.groups[kept])
    code = np.full(len(pairs.prompts), -1, dtype=np.int64)
    code[kept] = group
    clusters = int(group.max()) + 1
    arms = [_values(arm, each, code) for arm, each in zip((pairs.baseline, pairs.candidate), values, strict=True)]
    effects = quantile_ratios(
        arms[1],
        arms[0],
        quantiles,
        clusters=clusters,
        seed=seed,
        resamples=resamples,
        logarithm=scale == "log_ratio",
    )
    left_out = int(len(kept) - kept.sum())
    notes = (f"{counted(left_out, 'prompt')} without a value on both sides left out",) if left_out else ()
    n = min(len(arm[0]) for arm in arms)
    return [
        _row(pairs, arms, label, q, scale, effect, n=n, clusters=clusters, notes=notes)
        for label, q, effect in zip(labels, quantiles, effects, strict=True)
    ]


def _values(arm: ArmColumns, values: Floats, code: Codes) -> tuple[Floats, Codes]:
    """The values of the prompts that are kept, and the cluster of each."""
    clusters = code[arm.codes]
    there = ~np.isnan(values) & (clusters >= 0)
    return values[there], clusters[there]


def _row(
    pairs: Pairs,
    arms: list[tuple[Floats, Codes]],
    label: str,
    q: float,
    scale: Scale,
    effect: Effect,
    *,
    n: int,
    clusters: int,
    notes: tuple[str, ...],
) -> Measured:
    failed = [int((~arm.columns.ok).sum()) for arm in (pairs.baseline, pairs.candidate)]
    inflated = [_inflated(values, lost, q) for (values, _), lost in zip(arms, failed, strict=True)]
    told = list(notes)
    needed = samples_for_quantile(q)
    independent, fewest = independent_clusters(*(codes for _, codes in arms)), clusters_for_quantile(q)
    bounded = is_bounded(q, n, independent)
    if not bounded:
        uneven = f" (its {clusters} are of unequal size and do the work of {independent})" * (independent < clusters)
        told.append(f"no bounds: p{round(100 * q)} needs {needed} samples of {fewest} prompts or groups{uneven}")
    if any(failed):
        told.append(
            f"{failed[0]} and {failed[1]} requests failed and are not in it; with failures as ∞ "
            f"{_describe(inflated[0])} → {_describe(inflated[1])}"
        )
    return Measured(
        metric=label,
        scale=scale,
        unit="s",
        baseline=float(np.quantile(arms[0][0], q, method="hazen")),
        candidate=float(np.quantile(arms[1][0], q, method="hazen")),
        effect=effect,
        n=n,
        clusters=clusters,
        n_at_least=None if bounded else max(needed, math.ceil(fewest * n / independent)),
        clusters_at_least=fewest if independent < fewest else None,
        baseline_inflated=inflated[0] if any(failed) and math.isfinite(inflated[0]) else None,
        candidate_inflated=inflated[1] if any(failed) and math.isfinite(inflated[1]) else None,
        inflated_estimate=_inflated_estimate(arms, failed, inflated, q, scale) if any(failed) else None,
        notes=tuple(told),
    )


def _inflated(values: Floats, failed: int, q: float) -> float:
    """The q-quantile by nearest rank with so many failures as +∞, s."""
    return quantile(np.concatenate([np.sort(values), np.full(failed, np.inf)]), q)


def _inflated_estimate(
    arms: list[tuple[Floats, Codes]], failed: list[int], inflated: list[float], q: float, scale: Scale
) -> float:
    """The difference with failures as ∞; where both are ∞, with those that are more than the baseline's share."""
    if not all(map(math.isinf, inflated)):
        return _difference(inflated[0], inflated[1], scale)
    (old, new), (lost, lost_now) = (np.sort(values) for values, _ in arms), failed
    more = max(0, round(lost_now - lost / (lost + len(old)) * (lost_now + len(new))))
    return _difference(quantile(old, q), _inflated(new, more, q), scale)


def _difference(baseline: float, candidate: float, scale: Scale) -> float:
    """Candidate − baseline on the scale; at most one of them is ∞."""
    if scale == "absolute":
        return candidate - baseline
    return math.inf if math.isinf(candidate) else -math.inf if math.isinf(baseline) else math.log(candidate / baseline)


def _describe(seconds: float) -> str:
    return f"{seconds:.3g} s" if math.isfinite(seconds) else "∞"
