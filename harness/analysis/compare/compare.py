"""Compares targets of one run or of two: a verdict for each metric and overall, with everything that explains it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from harness.analysis.compare.between_runs import count_runs, time_of_day
from harness.analysis.compare.comparison import Arm, CompareReport, Comparison, Difference
from harness.analysis.compare.cost.drift import Bill, explain_bill
from harness.analysis.compare.cost.rows import compare_cost, compare_cost_per_correct, compare_geometric
from harness.analysis.compare.flips import count_unscored, expected_from_repeats, find_flips, with_answers
from harness.analysis.compare.gate import Rule, gate_of, make_rules
from harness.analysis.compare.latencies import compare_equal_length, compare_latencies
from harness.analysis.compare.pairing import (
    FinishedRun,
    Pairing,
    Pairs,
    Unshared,
    concerns,
    difference_findings,
    find_pairings,
    invalid_findings,
    pair,
    unshared_prompts,
)
from harness.analysis.compare.rates import compare_error_rate, compare_pass_rate, compare_repeats, compare_throttle_rate
from harness.analysis.compare.sample_size.remedies import with_sources
from harness.analysis.compare.stalls import stall_findings, stalls_of
from harness.analysis.compare.verdict import judge_rows, worst, worst_of_comparisons
from harness.analysis.loader import load_run
from harness.analysis.past_runs import StoredRun
from harness.analysis.stats.interval import LEVEL
from harness.analysis.stats.quantiles import bounds_need
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
    pairs: Sequence[tuple[str, str]] = (),
    history: Sequence[StoredRun] = (),
    explore: bool = True,
) -> CompareReport:
    """Every candidate against its baseline, as one family of tests.

    One run: its other targets (or `candidate_targets`) against `baseline_target`, by default the suite's `baseline`.
    Two runs: each target that both have against itself; with `baseline_target`, that target of the baseline's run
    against `candidate_targets` of the other (by default the target of the same name, else all).

    `pairs`: these baselines and candidates instead. `history`: earlier runs that did the same as the candidate's, from
    which a comparison of two runs takes the spread between runs. `explore`: also the rows that decide nothing.

    `gate`: metric → margin as written; by default that of the candidates' suite, else DEFAULT_GATE. The verdict of an
    invalid run is `inconclusive`, and `valid` is False; so is the verdict on a target that was stopped early. Raises
    CompareError: no baseline, unknown targets, prompts that differ, a judge's model among the targets, a margin that
    cannot be read.
    """
    other = candidate or baseline
    unshared = unshared_prompts(baseline.suite, other.suite)
    pairings = find_pairings(baseline, candidate, baseline_target, candidate_targets, pairs)
    written, by_default = (dict(gate), False) if gate else gate_of(_compared_suite(pairings), tail=_has_tail(pairings))
    rules = make_rules(written)
    measured = [_measure(each, rules, history, explore=explore) for each in pairings]
    judged = judge_rows([rows.gated for rows in measured], [rows.exploratory for rows in measured], rules)
    invalid = invalid_findings(pairings)
    comparisons = tuple(
        _comparison(each, rows, unshared, differences, valid=not any(concerns(each, finding) for finding in invalid))
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
            *(finding for rows in measured for finding in rows.bill.findings),
            *stall_findings(comparisons, {r.manifest.run_id: r.manifest.utc_ns for r in (baseline, other)}),
            *_chosen_findings(pairings),
        ),
        valid=all(finding.target is not None for finding in invalid),
    )


@dataclass(frozen=True, kw_only=True)
class _Rows:
    pairs: Pairs
    gated: list[Difference]
    exploratory: list[Difference]
    bill: Bill


def _family(rules: Sequence[Rule], pairings: Sequence[Pairing]) -> int:
    return len(rules) * len(pairings)


def _compared_suite(pairings: Sequence[Pairing]) -> Suite:
    """The candidates' suite with all targets that are compared, of either run."""
    arms = [arm for p in pairings for arm in ((p.baseline, p.baseline_target), (p.candidate, p.candidate_target))]
    return msgspec.structs.replace(pairings[0].candidate.suite, targets=tuple(run.target(name) for run, name in arms))


def _has_tail(pairings: Sequence[Pairing]) -> bool:
    """Whether every arm has enough samples to bound a p95."""
    arms = [c for each in pairings for c in (each.baseline_columns, each.candidate_columns)]
    return all(c.ok.any() and bounds_need(0.95, c.groups[c.ok]).met for c in arms)


def _measure(each: Pairing, rules: Sequence[Rule], history: Sequence[StoredRun], *, explore: bool) -> _Rows:
    pairs = pair(each.baseline_columns, each.candidate_columns, together=each.baseline is each.candidate)
    latencies = compare_latencies(pairs, [(rule.metric, rule.scale) for rule in rules])
    tags = _tags(pairs, each.candidate.suite)

    def compare(rule: Rule) -> Difference:
        tag = metric_tag(rule.metric)
        if tag is not None:
            selected = tags.get(tag, np.zeros(len(pairs.prompts), dtype=np.bool_))
            return with_sources(compare_pass_rate(pairs, metric=rule.metric, selected=selected), pairs, selected)
        match rule.metric:
            case "pass_rate":
                return with_sources(compare_pass_rate(pairs), pairs)
            case "error_rate":
                return with_sources(compare_error_rate(pairs), pairs)
            case "throttle_rate":
                return compare_throttle_rate(pairs)
            case "cost_per_request":
                return with_sources(compare_cost(pairs, rule.scale), pairs)
            case _:
                return with_sources(latencies[rule.metric], pairs)

    rows = [compare(rule) for rule in rules]
    exploratory = _explore(pairs, tags, {rule.metric for rule in rules}) if explore else []
    if each.baseline is not each.candidate:
        rows, exploratory = (count_runs(some, each, history) for some in (rows, exploratory))
    return _Rows(pairs=pairs, gated=rows, exploratory=exploratory, bill=explain_bill(pairs, each))


def _explore(pairs: Pairs, tags: Mapping[str, np.typing.NDArray[np.bool_]], gated: Collection[str]) -> list[Difference]:
    """Rows that decide nothing and have a figure: other views of the cost, equal length, repeats, tags."""
    by_tag = [
        compare_pass_rate(pairs, metric=tag_metric(tag), selected=selected)
        for tag, selected in tags.items()
        if tag_metric(tag) not in gated
    ]
    costs = (compare_geometric(pairs), compare_cost_per_correct(pairs))
    rows = (*costs, compare_equal_length(pairs), *compare_repeats(pairs), *by_tag)
    return [row for row in rows if row.estimate is not None]


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
    rows: _Rows,
    unshared: Unshared,
    differences: tuple[Difference, ...],
    *,
    valid: bool,
) -> Comparison:
    pairs, tags = rows.pairs, {prompt.id: prompt.tags for prompt in each.candidate.suite.prompts}
    flips = find_flips(pairs, tags)
    lost = sum(flip.direction == "worse" for flip in flips)
    expected, source = expected_from_repeats(pairs) or (None, "")
    shown = flips
    if each.baseline.folder is not None and each.candidate.folder is not None:
        shown = with_answers(
            flips, (each.baseline.folder, each.baseline_target), (each.candidate.folder, each.candidate_target)
        )
    verdict = worst(row.verdict for row in differences if not row.exploratory)
    stalls, without_stalls = stalls_of(each, pairs, differences)
    return Comparison(
        baseline=_arm(each.baseline, each.baseline_target),
        candidate=_arm(each.candidate, each.candidate_target),
        verdict=verdict if valid else "inconclusive",
        differences=(*differences, *rows.bill.list_price),
        prompts=len(pairs.prompts),
        only_baseline=unshared[0],
        only_candidate=unshared[1],
        flips=tuple(shown),
        lost=lost,
        gained=len(flips) - lost,
        unscored=count_unscored(pairs),
        expected_changes=expected,
        expected_from=source,
        drift=rows.bill.drift,
        time=time_of_day(differences, one_run=each.baseline is each.candidate),
        stalls=stalls,
        without_stalls=without_stalls,
    )


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
