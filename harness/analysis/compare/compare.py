"""Compares targets of one run or of two: a verdict for each metric and overall, with everything that explains it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from harness.analysis.compare.comparison import Arm, CompareReport, Comparison, Difference, Drift
from harness.analysis.compare.costs import compare_cost, find_drift
from harness.analysis.compare.flips import count_unscored, find_flips, with_answers
from harness.analysis.compare.gate import Rule, gate_of, make_rules
from harness.analysis.compare.latencies import compare_equal_length, compare_latencies
from harness.analysis.compare.pairing import (
    FinishedRun,
    Pairing,
    Pairs,
    Unshared,
    difference_findings,
    find_pairings,
    invalid_findings,
    pair,
    unshared_prompts,
)
from harness.analysis.compare.rates import compare_error_rate, compare_pass_rate, compare_repeats, compare_throttle_rate
from harness.analysis.compare.remedies import with_spread
from harness.analysis.compare.verdict import judge_rows, worst, worst_of_comparisons
from harness.analysis.loader import load_run
from harness.analysis.stats.interval import LEVEL
from harness.analysis.stats.means import cluster_codes
from harness.analysis.stats.quantiles import bounds_need
from harness.catalog.prices import price_for, terms_of
from harness.store.finding import Finding
from harness.store.run_folder import RunFolder
from harness.suite.grammar.gate import metric_tag, tag_metric
from harness.suite.suite import Suite


def load_finished_run(folder: RunFolder) -> FinishedRun:
    """A finished and graded run. StoreError, SuiteError: it cannot be read."""
    return FinishedRun(manifest=folder.read_manifest(), suite=folder.read_suite(), data=load_run(folder), folder=folder)


def compare_targets(
    baseline: FinishedRun,
    candidate: FinishedRun | None = None,
    *,
    baseline_target: str | None = None,
    candidate_targets: Sequence[str] = (),
    gate: Mapping[str, str] | None = None,
) -> CompareReport:
    """Every candidate against its baseline, as one family of tests.

    One run: its other targets (or `candidate_targets`) against `baseline_target`, by default the suite's `baseline`.
    Two runs: each target that both have against itself; with `baseline_target`, that target of the baseline's run
    against `candidate_targets` of the other (by default the target of the same name, else all).

    `gate`: metric → margin as written; by default that of the candidates' suite, else DEFAULT_GATE. The verdict of an
    invalid run is `inconclusive`, and `valid` is False. Raises CompareError: no baseline, unknown targets, prompts that
    differ, a judge's model among the targets, a margin that cannot be read.
    """
    other = candidate or baseline
    unshared = unshared_prompts(baseline.suite, other.suite)
    pairings = find_pairings(baseline, candidate, baseline_target, candidate_targets)
    written, by_default = (dict(gate), False) if gate else gate_of(_compared_suite(pairings), tail=_has_tail(pairings))
    rules = make_rules(written)
    measured = [_measure(each, rules) for each in pairings]
    judged = judge_rows([rows.gated for rows in measured], [rows.exploratory for rows in measured], rules)
    invalid = invalid_findings(pairings)
    comparisons = tuple(
        _comparison(each, rows.pairs, unshared, differences, valid=not invalid)
        for each, rows, differences in zip(pairings, measured, judged, strict=True)
    )
    return CompareReport(
        suite=other.suite.name,
        suite_digest=other.suite.digest,
        simulated=baseline.manifest.simulated or other.manifest.simulated,
        level=LEVEL,
        comparisons=comparisons,
        verdict=worst_of_comparisons(each.verdict for each in comparisons),
        family=_family(rules, pairings),
        findings=(
            *invalid,
            *_gate_findings(written, by_default=by_default),
            *difference_findings(baseline, other, pairings),
            *_chosen_findings(pairings),
        ),
        valid=not invalid,
    )


@dataclass(frozen=True, kw_only=True)
class _Rows:
    pairs: Pairs
    gated: list[Difference]
    exploratory: list[Difference]


def _family(rules: Sequence[Rule], pairings: Sequence[Pairing]) -> int:
    return len(rules) * len(pairings)


def _compared_suite(pairings: Sequence[Pairing]) -> Suite:
    """The candidates' suite with all targets that are compared, of either run."""
    arms = [arm for p in pairings for arm in ((p.baseline, p.baseline_target), (p.candidate, p.candidate_target))]
    return msgspec.structs.replace(pairings[0].candidate.suite, targets=tuple(run.target(name) for run, name in arms))


def _has_tail(pairings: Sequence[Pairing]) -> bool:
    """Whether every arm has enough samples to bound a p95."""
    arms = [c for each in pairings for c in (each.baseline_columns, each.candidate_columns)]
    return all(c.ok.any() and bounds_need(0.95, cluster_codes(c.group_id[c.ok])).met for c in arms)


def _measure(each: Pairing, rules: Sequence[Rule]) -> _Rows:
    pairs = pair(each.baseline_columns, each.candidate_columns)
    latencies = compare_latencies(pairs, [(rule.metric, rule.scale) for rule in rules])
    tags = _tags(pairs, each.candidate.suite)

    def compare(rule: Rule) -> Difference:
        tag = metric_tag(rule.metric)
        if tag is not None:
            selected = tags.get(tag, np.zeros(len(pairs.prompts), dtype=np.bool_))
            return with_spread(compare_pass_rate(pairs, metric=rule.metric, selected=selected), pairs, selected)
        match rule.metric:
            case "pass_rate":
                return with_spread(compare_pass_rate(pairs), pairs)
            case "error_rate":
                return with_spread(compare_error_rate(pairs), pairs)
            case "throttle_rate":
                return compare_throttle_rate(each.baseline_counts, each.candidate_counts)
            case "cost_per_request":
                return with_spread(compare_cost(pairs, rule.scale), pairs)
            case _:
                return with_spread(latencies[rule.metric], pairs)

    gated = {rule.metric for rule in rules}
    by_tag = [
        compare_pass_rate(pairs, metric=tag_metric(tag), selected=selected)
        for tag, selected in tags.items()
        if tag_metric(tag) not in gated
    ]
    equal_length = compare_equal_length(pairs)
    exploratory = [row for row in (equal_length, *compare_repeats(pairs), *by_tag) if row.estimate is not None]
    return _Rows(pairs=pairs, gated=[compare(rule) for rule in rules], exploratory=exploratory)


def _tags(pairs: Pairs, suite: Suite) -> dict[str, np.typing.NDArray[np.bool_]]:
    """Tag → one flag a prompt, in the suite's order."""
    index_of = {str(prompt): index for index, prompt in enumerate(pairs.prompts)}
    flags: dict[str, np.typing.NDArray[np.bool_]] = {}
    for prompt in suite.prompts:
        if prompt.id in index_of:
            for tag in prompt.tags:
                flags.setdefault(tag, np.zeros(len(index_of), dtype=np.bool_))[index_of[prompt.id]] = True
    return flags


def _comparison(
    each: Pairing,
    pairs: Pairs,
    unshared: Unshared,
    differences: tuple[Difference, ...],
    *,
    valid: bool,
) -> Comparison:
    tags = {prompt.id: prompt.tags for prompt in each.candidate.suite.prompts}
    flips = find_flips(pairs, tags)
    lost = sum(flip.direction == "worse" for flip in flips)
    shown = flips
    if each.baseline.folder is not None and each.candidate.folder is not None:
        shown = with_answers(
            flips, (each.baseline.folder, each.baseline_target), (each.candidate.folder, each.candidate_target)
        )
    verdict = worst(row.verdict for row in differences if not row.exploratory)
    return Comparison(
        baseline=_arm(each.baseline, each.baseline_target),
        candidate=_arm(each.candidate, each.candidate_target),
        verdict=verdict if valid else "inconclusive",
        differences=differences,
        prompts=len(pairs.prompts),
        only_baseline=unshared[0],
        only_candidate=unshared[1],
        flips=tuple(shown),
        lost=lost,
        gained=len(flips) - lost,
        unscored=count_unscored(pairs),
        drift=_drift(each, pairs),
    )


def _drift(each: Pairing, pairs: Pairs) -> Drift:
    targets = each.baseline.target(each.baseline_target), each.candidate.target(each.candidate_target)
    suites = each.baseline.suite, each.candidate.suite
    old, new = (
        price_for(target.base_model, target.routing, suite.prices, terms_of(target.options))
        for target, suite in zip(targets, suites, strict=True)
    )
    same = targets[0].base_model == targets[1].base_model
    return find_drift(pairs, (old, new), each.baseline_counts, same_model=same)


def _arm(run: FinishedRun, name: str) -> Arm:
    target, columns = run.target(name), run.data.columns[name]
    return Arm(
        run_id=run.manifest.run_id,
        target=name,
        model_id=target.model_id,
        routing=target.routing,
        api=target.api,
        client=target.client,
        region=target.region,
        requests=len(columns.ok),
        failed=int((~columns.ok).sum()),
    )


def _gate_findings(written: Mapping[str, str], *, by_default: bool) -> list[Finding]:
    if not by_default:
        return []
    margins = ", ".join(f"{metric}: {margin}" for metric, margin in written.items())
    return [
        Finding(
            what=f"the suite has no gate; the default margins decide ({margins})",
            remedy=f"set the margins that you can accept in the suite: gate: {{{margins}}}",
        )
    ]


def _chosen_findings(pairings: Sequence[Pairing]) -> list[Finding]:
    """Several candidates against one baseline: Holm counts all of them, but the best one's figures flatter it."""
    baselines = {(id(each.baseline), each.baseline_target) for each in pairings}
    if len(pairings) < 2 or len(baselines) > 1:
        return []
    return [
        Finding(
            what=f"{len(pairings)} candidates stand for one decision: the one chosen as the best of {len(pairings)} "
            "looks better than it is, since chance helped to choose it (verdicts count all of them, figures do not)",
            remedy="confirm the one that you choose against the baseline in a new run before you quote its advantage",
        )
    ]
