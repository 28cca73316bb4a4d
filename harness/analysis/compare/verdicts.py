"""Measured metrics become differences with verdicts: p-values adjusted over the family, each against its margin."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.analysis.compare.comparison import Difference, Verdict
from harness.analysis.compare.gate import Rule
from harness.analysis.compare.measured import Measured
from harness.analysis.compare.power import none_in
from harness.analysis.compare.verdict import ALPHA, decide, decide_direction, needed, reaches
from harness.analysis.stats.effect import Effect
from harness.analysis.stats.multiplicity import benjamini_hochberg, holm
from harness.analysis.stats.quantiles import clusters_for_level


def judge_rows(
    gated: Sequence[Sequence[Measured]], exploratory: Sequence[Sequence[Measured]], rules: Sequence[Rule]
) -> list[tuple[Difference, ...]]:
    """One list a candidate: Holm over all candidates' gated metrics, Benjamini–Hochberg over each one's exploratory.

    `gated[i][j]` is what candidate i has on `rules[j]`. A metric without a p-value stays in the family as p = 1.
    """
    family = [row for rows in gated for row in rows]
    adjusted = iter(holm([_p_value(row) for row in family]))
    return [
        (
            *(_decided(row, rule, next(adjusted), len(family)) for row, rule in zip(rows, rules, strict=True)),
            *_explored(more),
        )
        for rows, more in zip(gated, exploratory, strict=True)
    ]


def _p_value(row: Measured) -> float:
    return 1.0 if row.effect is None or row.effect.p_value is None else row.effect.p_value


def _decided(row: Measured, rule: Rule, p_adjusted: float, family: int) -> Difference:
    effect = row.effect
    if effect is None or row.scale != rule.scale:
        return _difference(row, rule, p_adjusted=None, verdict="inconclusive", n_needed=None)
    found = decide(
        estimate=effect.estimate, low=effect.low, high=effect.high, p_adjusted=p_adjusted, margin=rule.margin
    )
    verdict, hidden = _with_failures(found, row, rule.margin)
    n_needed, clusters_needed = row.n_at_least, row.clusters_at_least
    if verdict == "inconclusive" and not hidden:
        n_needed, clusters_needed = _settling(row, effect, rule.margin, family)
    notes = [*hidden, *_equivalence_notes(verdict, effect.low, rule.margin)]
    p = None if effect.p_value is None else p_adjusted
    return _difference(
        row, rule, p_adjusted=p, verdict=verdict, n_needed=n_needed, clusters_needed=clusters_needed, notes=notes
    )


def _settling(row: Measured, effect: Effect, margin: float, family: int) -> tuple[int | None, int | None]:
    """Of what is inconclusive: the n that would settle it, and of a quantile the prompts or groups that it takes."""
    if effect.low is None or effect.high is None:
        return row.n_at_least, row.clusters_at_least
    if row.none_at_all:
        return max(row.n + 1, math.ceil(none_in(margin) * row.n / row.clusters)), None
    n = needed(n=row.n, estimate=effect.estimate, low=effect.low, high=effect.high, margin=margin, family=family)
    least = clusters_for_level(ALPHA / family)
    if effect.method != "bootstrap" or row.clusters >= least or not reaches(effect.estimate, margin):
        return n, None
    return (None if n is None else max(n, math.ceil(least * row.n / row.clusters))), least


def _with_failures(verdict: Verdict, row: Measured, margin: float) -> tuple[Verdict, list[str]]:
    """A latency is as good as the baseline's only if failures do not hide the slow answers."""
    estimate = row.inflated_estimate
    if estimate is None or verdict not in ("better", "equivalent"):
        return verdict, []
    if reaches(estimate, margin) or (verdict == "better" and estimate > 0):
        return "inconclusive", ["its failures may hide slow answers"]
    return verdict, []


def _equivalence_notes(verdict: Verdict, low: float | None, margin: float) -> list[str]:
    if verdict != "equivalent" or low is None:
        return []
    if low > 0:
        return ["worse, but by less than the margin"]
    return ["not worse than the margin; whether it is better cannot be told"] if reaches(-low, margin) else []


def _explored(rows: Sequence[Measured]) -> list[Difference]:
    adjusted = benjamini_hochberg([_p_value(row) for row in rows])
    return [
        _difference(
            row,
            None,
            p_adjusted=p,
            verdict=decide_direction(estimate=None if row.effect is None else row.effect.estimate, p_adjusted=p),
            n_needed=None,
        )
        for row, p in zip(rows, adjusted, strict=True)
    ]


def _difference(
    row: Measured,
    rule: Rule | None,
    *,
    p_adjusted: float | None,
    verdict: Verdict,
    n_needed: int | None,
    clusters_needed: int | None = None,
    notes: Sequence[str] = (),
) -> Difference:
    effect = row.effect
    return Difference(
        metric=row.metric,
        scale=row.scale,
        unit=row.unit,
        baseline=row.baseline,
        candidate=row.candidate,
        estimate=None if effect is None else _finite(effect.estimate),
        low=None if effect is None else effect.low,
        high=None if effect is None else effect.high,
        margin=None if rule is None else rule.margin,
        margin_written=None if rule is None else rule.written,
        p_value=None if effect is None else effect.p_value,
        p_adjusted=p_adjusted,
        n=row.n,
        clusters=row.clusters,
        method="" if effect is None else effect.method,
        verdict=verdict,
        n_needed=n_needed,
        clusters_needed=clusters_needed,
        note="; ".join((*row.notes, *notes)),
        exploratory=rule is None,
        baseline_inflated=row.baseline_inflated,
        candidate_inflated=row.candidate_inflated,
    )


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
