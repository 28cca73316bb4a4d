"""The verdict of each difference and of a comparison: worse, better, no worse or inconclusive."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from harness.analysis.compare.comparison import ORDER, Difference, Verdict, add_note
from harness.analysis.compare.gate import Rule
from harness.analysis.compare.sample_size.remedies import needed, reaches, with_remedy
from harness.analysis.metrics import metric_of
from harness.analysis.stats.interval import benjamini_hochberg, holm
from harness.analysis.stats.power import ALPHA, none_in
from harness.analysis.stats.quantiles import clusters_for_level
from harness.analysis.stats.time_blocks import METHOD

EXPLORATORY_Q = 0.10
"""False discovery rate of the exploratory rows, for Benjamini–Hochberg."""
MORE_PROMPTS_DO_NOT_HELP = (
    "runs differ by more than their own error, so more prompts do not narrow this; more earlier runs do a little, and "
    "two models can be asked in one run"
)


def decide(
    *, estimate: float | None, low: float | None, high: float | None, p_adjusted: float | None, margin: float
) -> Verdict:
    """The verdict of a gated metric; all on its scale, + is worse, margin > 0.

    `worse`: the interval lies above 0, Holm's p-value is below 1 − level, and the estimate reaches the margin (a
    difference of exactly the margin does).
    `better`: the same on the other side. `no_worse`: the interval ends below the margin (it may be better).
    Otherwise `inconclusive`.

    A family makes many claims of worse or better, so these need the adjusted p-value. `no_worse` is claimed for all
    metrics together or not at all (an intersection-union test, Berger 1982): each is tested at its own level.
    """
    if estimate is None:
        return "inconclusive"
    significant = p_adjusted is not None and p_adjusted < ALPHA
    if significant and low is not None and low > 0 and reaches(estimate, margin):
        return "worse"
    if significant and high is not None and high < 0 and reaches(-estimate, margin):
        return "better"
    return "no_worse" if high is not None and not reaches(high, margin) else "inconclusive"


def decide_direction(*, estimate: float | None, p_adjusted: float | None) -> Verdict:
    """The verdict of an exploratory row, which has no margin: of direction alone, never `no_worse`."""
    if estimate is None or p_adjusted is None or p_adjusted >= EXPLORATORY_Q or estimate == 0:
        return "inconclusive"
    return "worse" if estimate > 0 else "better"


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Of one candidate's metrics: the first of worse, inconclusive, better, no_worse. Empty: inconclusive."""
    present = set(verdicts)
    return next((each for each in ("worse", "inconclusive", "better", "no_worse") if each in present), "inconclusive")


def worst_of_comparisons(verdicts: Iterable[Verdict]) -> Verdict:
    """Of several candidates: the first in ORDER. Empty: inconclusive."""
    return min(verdicts, key=ORDER.index, default="inconclusive")


def judge_rows(
    gated: Sequence[Sequence[Difference]], exploratory: Sequence[Sequence[Difference]], rules: Sequence[Rule]
) -> list[tuple[Difference, ...]]:
    """The rows of each candidate: Holm over all gated rows, Benjamini–Hochberg over each candidate's exploratory ones.

    `gated[i][j]` is candidate i on `rules[j]`. A metric without a p-value stays in the family as p = 1.
    """
    family = [row for rows in gated for row in rows]
    adjusted = iter(holm([_p_value(row) for row in family]))
    return [
        (
            *(_decided(row, rule, next(adjusted), len(family)) for row, rule in zip(rows, rules, strict=True)),
            *_decided_by_direction(others),
        )
        for rows, others in zip(gated, exploratory, strict=True)
    ]


def _p_value(row: Difference) -> float:
    return 1.0 if row.p_value is None else row.p_value


def _decided(row: Difference, rule: Rule, p_adjusted: float, family: int) -> Difference:
    estimate, readings = row.estimate, (row.inflated_estimate, row.strict_estimate)
    row = replace(row, margin=rule.margin, margin_written=rule.written, inflated_estimate=UNSET, strict_estimate=UNSET)
    if estimate is None or not math.isfinite(estimate):
        return replace(row, estimate=None, n_needed=None, clusters_needed=None, sources=UNSET)
    verdict = decide(estimate=estimate, low=row.low, high=row.high, p_adjusted=p_adjusted, margin=rule.margin)
    notes = ["worse, but by less than the margin"] if verdict == "no_worse" and (row.low or 0.0) > 0 else []
    inside = row.low is not None and row.high is not None and not reaches(max(-row.low, row.high), rule.margin)
    if verdict == "inconclusive":
        n_needed, clusters_needed = _settling(row, estimate, rule.margin, family)
        row = with_remedy(replace(row, n_needed=n_needed, clusters_needed=clusters_needed))
        notes += [MORE_PROMPTS_DO_NOT_HELP] if row.between_runs is not None and row.between_runs.decides else []
    else:
        verdict, doubt = _with_failures(verdict, readings, rule.margin)
        notes += doubt
    return add_note(
        replace(
            row,
            sources=UNSET,
            p_adjusted=None if row.p_value is None else p_adjusted,
            verdict=verdict,
            equivalent=inside,
        ),
        *notes,
    )


def _settling(row: Difference, estimate: float, margin: float, family: int) -> tuple[int | None, int | None]:
    """Of an inconclusive row: the n that would settle it and, for a quantile, the prompts or groups that it needs."""
    if row.low is None or row.high is None:
        return row.n_needed, row.clusters_needed
    if row.between_runs is not None and row.between_runs.decides:
        return None, None
    if _never_happened(row):
        return max(row.n + 1, math.ceil(none_in(margin) * row.n / row.clusters)), None
    n = needed(
        n=row.n,
        estimate=estimate,
        low=row.low,
        high=row.high,
        margin=margin,
        family=family,
        degrees=row.sources.degrees if row.sources else math.inf,
        grow=row.method != METHOD,  # blocks of time stay as many
    )
    least = clusters_for_level(ALPHA / family)
    clusters = row.effective_clusters or row.clusters
    if row.method != METHOD or clusters >= least or not reaches(estimate, margin):
        return n, None
    return (None if n is None else max(n, math.ceil(least * row.n / clusters))), least


def _never_happened(row: Difference) -> bool:
    """Whether nothing failed (was throttled, did not pass) on either side."""
    return row.scale == "points" and row.baseline == row.candidate == (
        0.0 if metric_of(row.metric).up_is_worse else 1.0
    )


def _with_failures(
    verdict: Verdict, readings: tuple[float | UnsetType, float | UnsetType], margin: float
) -> tuple[Verdict, list[str]]:
    """The verdict of a latency that also holds in both readings of the failed requests, and why it is another.

    `readings`: the difference with failures as ∞, and the one in which the baseline's failures help least. `better`
    must reach the margin in each, `no_worse` must stay below it in each; `worse` stands.
    """
    if verdict in ("worse", "inconclusive"):
        return verdict, []
    for reading, whose in zip(readings, ("its", "the baseline's"), strict=True):
        if reading is not UNSET and reaches(reading, margin):
            return "inconclusive", [f"{whose} failed requests may hide slow answers"]
    if verdict == "better" and any(each is not UNSET and not reaches(-each, margin) for each in readings):
        return "no_worse", ["better only as long as failed requests are left out"]
    return verdict, []


def _decided_by_direction(rows: Sequence[Difference]) -> list[Difference]:
    adjusted = benjamini_hochberg([_p_value(row) for row in rows])
    return [
        replace(
            row,
            p_adjusted=p,
            verdict=decide_direction(estimate=row.estimate, p_adjusted=p),
            exploratory=True,
            n_needed=None,
            clusters_needed=None,
            inflated_estimate=UNSET,
            strict_estimate=UNSET,
            sources=UNSET,
        )
        for row, p in zip(rows, adjusted, strict=True)
    ]
