"""Whole comparisons over columns: what is found, what is refused, and what a failure does to each figure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from harness.analysis.columns import AttemptCounts, Columns, RunData
from harness.analysis.compare.compare import compare_targets
from harness.analysis.compare.comparison import Comparison, Difference
from harness.analysis.compare.gate import exit_code, gate_of, make_rules
from harness.analysis.compare.pairing import FinishedRun
from harness.analysis.metrics import METRICS
from harness.analysis.summary.summarise import summarise_target
from harness.analysis.summary.summary import figure_of
from harness.catalog.target import Target
from harness.errors import CompareError
from harness.store.manifest import Manifest
from harness.suite.suite import Check, Graders, Judge, Load, Message, Suite

MakeSuite = Callable[..., Suite]
MakeColumns = Callable[..., Columns]
MakeSide = Callable[..., FinishedRun]
N = 400
GATE = {"pass_rate": "5pp", "error_rate": "2pp", "ttft_p50": "10%", "e2e_p95": "20%", "cost_per_request": "10%"}


def noisy(n: int = N, *, seed: int, rate: float = 0.85, slower: float = 1.0, **changes: Any) -> dict[str, Any]:
    """Columns of n prompts asked once: hard prompts are hard for everyone, latencies and costs vary."""
    hardness = np.random.default_rng(99).random(n)
    rng = np.random.default_rng(seed)
    ids = np.array([f"p{i}" for i in range(n)], dtype=object)
    due = np.arange(n, dtype=np.float64)
    ttft, tokens = slower * rng.lognormal(-0.7, 0.3, n), np.round(100 * rng.lognormal(0, 0.1, n))
    arrays = {
        "prompt_id": ids,
        "group_id": ids,
        "repeat": np.zeros(n, dtype=np.int64),
        "first_s": due + ttft,
        "last_s": due + ttft + 0.01 * tokens,
        "done_s": due + ttft + 0.01 * tokens,
        "output_tokens": tokens,
        "cost_usd": (20 + 5 * tokens) / 1e6,
        "passed": (0.7 * hardness + 0.3 * rng.random(n) < rate).astype(float),
    }
    return {**arrays, **changes}


def fail(arrays: dict[str, Any], which: np.ndarray, kind: str = "server_error") -> dict[str, Any]:
    """The same with those requests failed: no stamps, no cost, not passed."""
    gone = {name: np.where(which, np.nan, arrays[name]) for name in ("first_s", "last_s", "output_tokens", "cost_usd")}
    passed = np.where(which, 0.0, arrays["passed"])
    return {**arrays, **gone, "passed": passed, "ok": ~which, "error_kind": np.where(which, kind, None)}


@pytest.fixture
def side(
    make_suite: MakeSuite,
    make_columns: MakeColumns,
    make_run_manifest: Callable[..., Manifest],
    count_attempts: Callable[[Columns], AttemptCounts],
) -> MakeSide:
    def build(targets: dict[str, dict[str, Any]], n: int = N, **changes: Any) -> FinishedRun:
        suite = make_suite(tuple(targets), prompts=n, **{"baseline": next(iter(targets)), "gate": GATE, **changes})
        columns = {
            name: make_columns(len(arrays["prompt_id"]), target=name, **arrays) for name, arrays in targets.items()
        }
        counts = {name: count_attempts(c) for name, c in columns.items()}
        recorded = sum(len(c.ok) for c in columns.values())
        return FinishedRun(
            manifest=make_run_manifest(suite),
            suite=suite,
            data=RunData(columns=columns, counts=counts, recorded=recorded),
        )

    return build


def rows(comparison: Comparison) -> dict[str, Difference]:
    return {row.metric: row for row in comparison.differences}


def only(report: Any) -> Comparison:
    (comparison,) = report.comparisons
    return comparison


def test_the_same_target_twice_is_equivalent_and_exits_0(side: MakeSide) -> None:
    report = compare_targets(side({"a": noisy(seed=1), "b": noisy(seed=2)}))
    assert "no_worse" == report.verdict == only(report).verdict
    assert ["no_worse"] * 5 == [row.verdict for row in only(report).differences if not row.exploratory]
    assert list(GATE) == [row.metric for row in only(report).differences][:5]
    assert (0, 5, True) == (exit_code(report), report.family, report.valid)
    assert msgspec.json.decode(msgspec.json.encode(report), type=type(report)) == report


def test_less_skill_is_worse_and_exits_1(side: MakeSide) -> None:
    report = compare_targets(side({"a": noisy(seed=1), "b": noisy(seed=2, rate=0.70)}))
    row = rows(only(report))["pass_rate"]
    assert ("worse", "newcombe-paired", "points", "share", N) == (
        row.verdict, row.method, row.scale, row.unit, row.n,
    )  # fmt: skip
    assert row.baseline is not None
    assert row.candidate is not None
    assert row.baseline - row.candidate == pytest.approx(row.estimate)
    assert ("worse", 1) == (report.verdict, exit_code(report))
    assert only(report).lost > only(report).gained
    assert "worse" == only(report).flips[0].direction


def test_more_skill_is_better_and_a_slower_first_token_worse(side: MakeSide) -> None:
    better = rows(only(compare_targets(side({"a": noisy(seed=1, rate=0.7), "b": noisy(seed=2)}))))
    assert "better" == better["pass_rate"].verdict
    slower = rows(only(compare_targets(side({"a": noisy(seed=1), "b": noisy(seed=2, slower=1.25)}))))
    assert "worse" == slower["ttft_p50"].verdict
    assert slower["ttft_p50"].estimate == pytest.approx(math.log(1.25), abs=0.08)
    assert ("log_ratio", "s", "time-blocks", "10%") == (
        slower["ttft_p50"].scale, slower["ttft_p50"].unit, slower["ttft_p50"].method, slower["ttft_p50"].margin_written,
    )  # fmt: skip


def test_twice_the_tokens_are_found_in_cost_and_named_token_drift(side: MakeSide) -> None:
    twice = noisy(seed=2)
    twice |= {"output_tokens": 2 * twice["output_tokens"], "cost_usd": (20 + 10 * twice["output_tokens"]) / 1e6}
    comparison = only(compare_targets(side({"a": noisy(seed=1), "b": twice})))
    row, drift = rows(comparison)["cost_per_request"], comparison.drift
    assert ("worse", "cluster-jackknife") == (row.verdict, row.method)
    assert drift.cost_ratio == pytest.approx(math.exp(row.estimate or 0))
    assert 2 == pytest.approx(drift.output_token_ratio, rel=0.03)
    assert 1 == pytest.approx(drift.input_token_ratio)
    assert "2 × the output tokens (token drift)" in drift.summary


def test_what_is_unknown_of_a_cost_is_not_told_as_the_same(side: MakeSide) -> None:
    unknown = {"input_tokens": np.full(N, np.nan), "output_tokens": np.full(N, np.nan)}
    old = noisy(seed=1, **unknown)
    dearer = {**old, "cost_usd": 1.2 * old["cost_usd"]}
    assert "token counts unknown" in only(compare_targets(side({"a": old, "b": dearer}))).drift.summary
    free = only(compare_targets(side({"a": old, "b": {**old, "cost_usd": np.zeros(N)}})))
    assert "there is no ratio" in rows(free)["cost_per_request"].note
    assert "known cost above 0" in free.drift.summary


def test_price_drift_and_token_drift_multiply_to_the_cost_ratio(side: MakeSide) -> None:
    dear = noisy(seed=1, cost_usd=3 * noisy(seed=1)["cost_usd"])
    pair = side({"a": noisy(seed=1), "b": dear})
    models = ("anthropic.claude-haiku-4-5-20251001-v1:0", "anthropic.claude-sonnet-4-6")
    targets = tuple(
        msgspec.structs.replace(t, base_model=model) for t, model in zip(pair.suite.targets, models, strict=True)
    )
    suite = msgspec.structs.replace(pair.suite, targets=targets)
    drift = only(compare_targets(FinishedRun(manifest=pair.manifest, suite=suite, data=pair.data))).drift
    assert (3, 3, 1) == pytest.approx((drift.cost_ratio, drift.price_ratio, drift.token_ratio))
    assert "price +200% (price drift), the same number of tokens" in drift.summary


def test_a_failed_request_is_a_failed_answer_and_an_error_and_no_fast_one(side: MakeSide) -> None:
    slow = noisy(seed=2)
    failed = slow["first_s"] - np.arange(N) > np.quantile(slow["first_s"] - np.arange(N), 0.9)
    comparison = only(compare_targets(side({"a": noisy(seed=1), "b": fail(slow, failed, "total_timeout")})))
    found = rows(comparison)
    assert "worse" == found["error_rate"].verdict
    assert (0.0, failed.mean()) == pytest.approx((found["error_rate"].baseline, found["error_rate"].candidate))
    assert (found["pass_rate"].candidate or 1) < (found["pass_rate"].baseline or 0)
    late = found["e2e_p95"]
    assert "inconclusive" == late.verdict
    assert "40 requests failed and are not in it; with failures as ∞" in late.note
    assert "→ ∞" in late.note
    assert "its failed requests may hide slow answers" in late.note
    assert N - failed.sum() == late.n
    assert found["cost_per_request"].n == N - failed.sum()


def test_failures_on_both_sides_hide_no_slow_answers_of_the_side_that_fails_more(side: MakeSide) -> None:
    """With failures as ∞ both p95 are ∞, so that their difference says nothing."""
    some = np.random.default_rng(7).random(N) < 0.08
    new = noisy(seed=2, slower=0.6)
    slow_ones = new["first_s"] > np.quantile(new["first_s"] - np.arange(N), 0.6) + np.arange(N)
    gate = {"ttft_p95": "20%"}
    old = fail(noisy(seed=1), some)
    hidden = rows(only(compare_targets(side({"a": old, "b": fail(new, slow_ones)}), gate=gate)))["ttft_p95"]
    assert ("inconclusive", True) == (hidden.verdict, "hide slow answers" in hidden.note)
    alike = rows(only(compare_targets(side({"a": old, "b": fail(noisy(seed=3), some)}), gate=gate)))["ttft_p95"]
    assert "hide slow answers" not in alike.note


def test_the_best_of_several_candidates_is_to_be_confirmed(side: MakeSide) -> None:
    arrays = {name: noisy(seed=at) for at, name in enumerate("abc")}
    several = compare_targets(side(arrays)).findings
    (found,) = (f for f in several if "one decision" in f.what)
    assert found.what.startswith("2 candidates stand for one decision: the one chosen as the best of 2 looks better")
    assert "in a new run" in found.remedy
    one = compare_targets(side({name: arrays[name] for name in "ab"})).findings
    two_runs = compare_targets(side(arrays), side(arrays)).findings  # each target against itself: nothing is chosen
    assert not any("one decision" in f.what for f in (*one, *two_runs))


def test_a_baseline_that_fails_on_the_prompts_on_which_the_candidate_is_slow_makes_it_look_no_better(
    side: MakeSide,
) -> None:
    """The prompts that the baseline lost are in no pair; with its failures as ∞ alone, the candidate was `better`."""
    hard = np.random.default_rng(7).random(N) < 0.15
    old, new = noisy(seed=1, slower=1.5), noisy(seed=2, slower=0.7)
    slow = {key: new[key] + 10.0 * hard for key in ("first_s", "last_s", "done_s")}
    gate = {"ttft_p95": "20%"}
    refused = side({"a": fail(old, hard), "b": {**new, **slow}})
    row = rows(only(compare_targets(refused, gate=gate)))["ttft_p95"]
    assert ("inconclusive", True) == (row.verdict, "the baseline's failed requests may hide slow answers" in row.note)
    lasted = {**fail(old, hard, "first_token_timeout"), "done_s": np.arange(N) + 60.0}
    cut_off = side({"a": {**lasted}, "b": {**new, **slow}})
    row = rows(only(compare_targets(cut_off, gate=gate)))["ttft_p95"]
    assert "better" == row.verdict, row.note  # 60 s and more were cut off: 10 s are fewer
    assert "better" == rows(only(compare_targets(side({"a": old, "b": new}), gate=gate)))["ttft_p95"].verdict


def test_a_baselines_refusals_excuse_no_time_outs(side: MakeSide) -> None:
    """With failures as ∞ both p95 are ∞, and as many of each side are."""
    some, others = (np.random.default_rng(seed).random(N) < 0.08 for seed in (7, 8))
    old = fail(noisy(seed=1), some, "throttled")
    new = {**fail(noisy(seed=2), others, "first_token_timeout"), "done_s": np.arange(N) + 60.0}
    gate = {"ttft_p95": "40%"}
    row = rows(only(compare_targets(side({"a": old, "b": new}), gate=gate)))["ttft_p95"]
    assert ("inconclusive", True) == (row.verdict, "the baseline's failed requests" in row.note)
    alike = {**fail(noisy(seed=1), some, "first_token_timeout"), "done_s": np.arange(N) + 60.0}
    row = rows(only(compare_targets(side({"a": alike, "b": new}), gate=gate)))["ttft_p95"]
    assert "failed requests may hide" not in row.note


def test_repeats_are_clustered_by_prompt_and_groups_by_group(side: MakeSide) -> None:
    def thrice(seed: int) -> dict[str, Any]:
        parts = [noisy(100, seed=seed + at) for at in range(3)]
        arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        shift = np.repeat([0.0, 100, 200], 100)
        return arrays | {name: arrays[name] + shift for name in ("first_s", "last_s", "done_s")}

    found = rows(only(compare_targets(side({"a": thrice(1), "b": thrice(7)}, n=100))))
    row = found["pass_rate"]
    assert ("newcombe-clustered", 100, 100) == (row.method, row.n, row.clusters)
    assert "300 answers to 100 prompts" in row.note
    assert (300, 100) == (found["e2e_p95"].n, found["e2e_p95"].clusters)
    assert {"pass@3", "pass^3"} <= set(found)
    groups = np.array([f"g{i // 5}" for i in range(N)], dtype=object)
    grouped = rows(
        only(compare_targets(side({"a": noisy(seed=1, group_id=groups), "b": noisy(seed=2, group_id=groups)})))
    )
    assert ("newcombe-clustered", N, N // 5) == (
        grouped["pass_rate"].method, grouped["pass_rate"].n, grouped["pass_rate"].clusters,
    )  # fmt: skip
    assert ("cluster-jackknife", N // 5) == (grouped["cost_per_request"].method, grouped["cost_per_request"].clusters)


def test_unscored_answers_are_left_out_and_counted(side: MakeSide) -> None:
    some = noisy(seed=2)
    some["passed"][:30] = np.nan
    row = rows(only(compare_targets(side({"a": noisy(seed=1), "b": some}))))["pass_rate"]
    assert N - 30 == row.n
    assert "leaves out 30 unscored answers" in row.note


def test_too_few_samples_for_a_p99_are_told_with_the_number_needed(side: MakeSide) -> None:
    report = compare_targets(side({"a": noisy(60, seed=1), "b": noisy(60, seed=2)}, n=60), gate={"e2e_p99": "15%"})
    row = rows(only(report))["e2e_p99"]
    assert ("inconclusive", None, None, None, 368) == (row.verdict, row.low, row.high, row.p_value, row.n_needed)
    assert "p99 needs 368 samples" in row.note
    assert 3 == exit_code(report)


def repeated(prompts: int, repeats: int, *, seed: int, group: int = 1, **changes: Any) -> dict[str, Any]:
    """Columns of prompts asked several times, in groups of `group`."""
    ids = np.array([f"p{i}" for i in range(prompts)] * repeats, dtype=object)
    groups = np.array([f"g{i // group}" for i in range(prompts)] * repeats, dtype=object)
    return {**noisy(prompts * repeats, seed=seed), "prompt_id": ids, "group_id": groups, **changes}


def test_prompts_and_not_repeats_are_asked_for_where_prompts_are_missing(side: MakeSide) -> None:
    few = side({"a": repeated(12, 6, seed=1), "b": repeated(12, 6, seed=2)}, n=12)
    row = rows(only(compare_targets(few)))["e2e_p95"]
    assert ("inconclusive", 72, 12, 144, 24) == (row.verdict, row.n, row.clusters, row.n_needed, row.clusters_needed)
    slow = repeated(6, 20, seed=2, first_s=np.arange(120) + 5.0)
    row = rows(only(compare_targets(side({"a": repeated(6, 20, seed=1), "b": slow}, n=6))))["ttft_p50"]
    assert row.p_adjusted is not None
    assert ("inconclusive", True, 8) == (row.verdict, row.p_adjusted > 0.05, row.clusters_needed)


def test_failures_that_never_happen_are_ruled_out_by_more_groups(side: MakeSide) -> None:
    grouped = side({"a": repeated(400, 1, seed=1, group=10), "b": repeated(400, 1, seed=2, group=10)})
    row = rows(only(compare_targets(grouped, gate={"error_rate": "1pp"})))["error_rate"]
    assert ("inconclusive", 400, 40) == (row.verdict, row.n, row.clusters)
    assert row.n_needed is not None
    assert row.n_needed > 3800


def test_an_inconclusive_metric_names_the_prompts_it_takes(side: MakeSide) -> None:
    report = compare_targets(side({"a": noisy(40, seed=1), "b": noisy(40, seed=2)}, n=40), gate={"error_rate": "1pp"})
    row = rows(only(report))["error_rate"]
    assert ("inconclusive", 382) == (row.verdict, row.n_needed)
    assert "no failures in 40 requests" in row.note


def test_tags_are_exploratory_unless_the_gate_names_them(side: MakeSide) -> None:
    pair = side({"a": noisy(seed=1), "b": noisy(seed=2)})
    found = rows(only(compare_targets(pair, gate={"pass_rate": "5pp", "pass_rate[odd]": "10pp"})))
    assert (False, "10pp", N // 2) == (
        found["pass_rate[odd]"].exploratory, found["pass_rate[odd]"].margin_written, found["pass_rate[odd]"].n,
    )  # fmt: skip
    assert (True, None) == (found["pass_rate[even]"].exploratory, found["pass_rate[even]"].margin)


def test_absolute_margins_are_in_the_metrics_own_unit(side: MakeSide) -> None:
    pair = side({"a": noisy(seed=1), "b": noisy(seed=2, slower=1.5)})
    found = rows(only(compare_targets(pair, gate={"ttft_p50": "150ms", "cost_per_request": "$0.0001"})))
    ttft, cost = found["ttft_p50"], found["cost_per_request"]
    assert ("absolute", 0.15, "worse") == (ttft.scale, ttft.margin, ttft.verdict)
    assert (ttft.candidate or 0) - (ttft.baseline or 0) == pytest.approx(ttft.estimate)
    assert ("absolute", 0.0001, "no_worse") == (cost.scale, cost.margin, cost.verdict)


def test_throttles_here_and_there_are_worse_and_as_many_in_one_burst_are_not(side: MakeSide) -> None:
    verdicts = []
    for hit in (np.arange(N) % 5 == 0, np.arange(N) < N // 5):
        throttled = hit.astype(np.int64)
        pair = side({"a": noisy(seed=1), "b": {**noisy(seed=2), "throttled": throttled, "attempts": 1 + throttled}})
        row = rows(only(compare_targets(pair, gate={"throttle_rate": "2pp"})))["throttle_rate"]
        assert (0.0, pytest.approx(hit.sum() / (N + hit.sum())), N) == (row.baseline, row.candidate, row.n)
        verdicts.append((row.verdict, row.method, row.time_limited))
    assert [
        ("worse", "newcombe-clustered", False),
        ("inconclusive", "newcombe-clustered+time-blocks", True),
    ] == verdicts


def test_a_stall_is_a_finding_with_what_it_explains(side: MakeSide) -> None:
    arrays, hit = noisy(seed=2), (np.arange(N) >= N // 2) & (np.arange(N) < N // 2 + N // 10)
    stalled = {name: arrays[name] + 3.0 * hit for name in ("first_s", "last_s", "done_s")}
    report = compare_targets(side({"a": noisy(seed=1), "b": {**arrays, **stalled}}), gate={"ttft_p95": "25%"})
    comparison = only(report)
    (stall,), (explained,) = comparison.stalls, comparison.without_stalls
    assert ("b", N // 2, N // 10) == (stall.target, stall.start_s, stall.requests)
    assert rows(comparison)["ttft_p95"].estimate == explained.measured
    assert abs(explained.without) < 0.25 < explained.measured
    assert any(f"b stalled for {N // 10 - 1}.0 s" in finding.what for finding in report.findings)
    quiet = compare_targets(side({"a": noisy(seed=1), "b": noisy(seed=2)}), gate={"ttft_p95": "25%"})
    assert ((), (), ()) == (only(quiet).stalls, only(quiet).without_stalls, quiet.findings)


def test_answers_of_equal_length_are_as_fast_however_long_they_are(side: MakeSide) -> None:
    longer = noisy(seed=1)
    extra = 0.01 * longer["output_tokens"]
    longer |= {
        "output_tokens": 2 * longer["output_tokens"],
        "last_s": longer["last_s"] + extra,
        "done_s": longer["done_s"] + extra,
    }
    found = rows(only(compare_targets(side({"a": noisy(seed=1), "b": longer}))))
    assert "worse" == found["e2e_p95"].verdict
    equal = found["e2e_p50_equal_length"]
    assert equal.exploratory
    assert 0 == pytest.approx(equal.estimate, abs=0.01)


def test_without_a_gate_the_default_margins_decide_and_are_told(side: MakeSide) -> None:
    report = compare_targets(side({"a": noisy(seed=1), "b": noisy(seed=2)}, gate={}))
    assert any("default margins decide (pass_rate: 5pp" in finding.what for finding in report.findings)
    assert 5 == report.family


def test_the_default_gate_leaves_out_what_one_of_the_runs_cannot_have(side: MakeSide) -> None:
    old, new = side({"a": noisy(seed=1)}, gate={}), side({"a": noisy(seed=2)}, gate={})
    whole = tuple(msgspec.structs.replace(target, stream=False) for target in old.suite.targets)
    old = replace(old, suite=msgspec.structs.replace(old.suite, targets=whole))
    assert "ttft_p95" in rows(only(compare_targets(new, side({"a": noisy(seed=3)}, gate={}))))
    assert "ttft_p95" not in rows(only(compare_targets(old, new)))
    paired = tuple(msgspec.structs.replace(p, checks=(Check(type="pairwise"),)) for p in new.suite.prompts)
    assert "pass_rate" not in gate_of(msgspec.structs.replace(new.suite, prompts=paired), tail=True)[0]


def test_the_family_is_all_metrics_of_all_candidates(side: MakeSide) -> None:
    report = compare_targets(side({"a": noisy(seed=1), "b": noisy(seed=2), "c": noisy(seed=3, rate=0.5)}))
    assert (10, "worse") == (report.family, report.verdict)
    worst = rows(report.comparisons[1])["pass_rate"]
    assert worst.p_adjusted == pytest.approx(10 * (worst.p_value or 1))


def test_two_runs_compare_each_target_with_itself_and_tell_what_else_differs(side: MakeSide) -> None:
    old = side({"a": noisy(seed=1), "b": noisy(seed=2)})
    new = side(
        {"a": noisy(seed=3), "b": noisy(seed=4, rate=0.6), "c": noisy(seed=5)}, load=Load(concurrency=2, warmup=1)
    )
    report = compare_targets(old, new)
    assert [("a", "a"), ("b", "b")] == [(c.baseline.target, c.candidate.target) for c in report.comparisons]
    assert ["inconclusive", "worse"] == [c.verdict for c in report.comparisons]
    assert "no_worse" == rows(report.comparisons[0])["pass_rate"].verdict
    assert any("differ in load" in finding.what for finding in report.findings)
    crossed = compare_targets(old, new, baseline_target="a", candidate_targets=("c",))
    assert [("a", "c")] == [(c.baseline.target, c.candidate.target) for c in crossed.comparisons]


def test_an_invalid_run_exits_4_and_is_inconclusive(side: MakeSide, make_run_manifest: Callable[..., Manifest]) -> None:
    pair = side({"a": noisy(seed=1), "b": noisy(seed=2)})
    cut = FinishedRun(manifest=make_run_manifest(pair.suite, state="interrupted"), suite=pair.suite, data=pair.data)
    report = compare_targets(cut)
    assert (False, "inconclusive", 4) == (report.valid, report.verdict, exit_code(report))
    assert "interrupted" in report.findings[0].what


def test_a_target_that_is_not_compared_does_not_invalidate(side: MakeSide) -> None:
    broken = fail(noisy(seed=3), np.ones(N, dtype=bool))
    pair = side({"a": noisy(seed=1), "b": noisy(seed=2), "c": broken})
    assert compare_targets(pair, candidate_targets=("b",)).valid
    assert not compare_targets(pair).valid


def test_prompts_that_only_one_side_has_are_listed_and_left_out(side: MakeSide) -> None:
    old, new = side({"a": noisy(100, seed=1)}, n=100), side({"a": noisy(120, seed=2)}, n=120)
    comparison = only(compare_targets(old, new))
    assert (100, (), 20) == (comparison.prompts, comparison.only_baseline, len(comparison.only_candidate))
    assert 100 == rows(comparison)["pass_rate"].n


def test_a_target_that_the_baselines_run_has_not_is_told(side: MakeSide) -> None:
    report = compare_targets(side({"a": noisy(seed=1)}), side({"a": noisy(seed=3), "b": noisy(seed=2, rate=0.3)}))
    assert ["a"] == [c.candidate.target for c in report.comparisons]
    assert any("not compared: b, since run" in finding.what for finding in report.findings)


def test_what_cannot_be_compared_is_refused_with_the_reason(
    side: MakeSide, make_target: Callable[[str], Target]
) -> None:
    pair = side({"a": noisy(seed=1), "b": noisy(seed=2)})
    alone = side({"a": noisy(seed=1)})
    changed = side({"a": noisy(seed=1)}, digest="other")
    prompts = list(changed.suite.prompts)
    prompts[3] = msgspec.structs.replace(
        prompts[3], messages=(Message(role="user", content="Now?"),), checks=(Check(type="regex"),)
    )
    changed = FinishedRun(
        manifest=changed.manifest,
        suite=msgspec.structs.replace(changed.suite, prompts=tuple(prompts)),
        data=changed.data,
    )

    def judged(model: str) -> FinishedRun:
        made = side({"a": noisy(seed=1), "b": noisy(seed=2)}, digest=model)
        prompts = tuple(msgspec.structs.replace(p, checks=(Check(type="judge"),)) for p in made.suite.prompts)
        judge = Judge(name="strict", target=make_target(model))
        suite = msgspec.structs.replace(made.suite, prompts=prompts, graders=Graders(judges=(judge,)))
        return replace(made, suite=suite)

    stranger = side({"x": noisy(seed=1), "y": noisy(seed=2)}, baseline=None)
    refused: list[tuple[Callable[[], object], str]] = [
        (
            lambda: compare_targets(side({"a": noisy(seed=1), "b": noisy(seed=2)}, baseline=None)),
            "no baseline: name one",
        ),
        (lambda: compare_targets(stranger, alone), "no baseline: the runs have no target in common"),
        (lambda: compare_targets(alone), "nothing to compare"),
        (lambda: compare_targets(pair, baseline_target="z"), r"has no target 'z' \(targets: a, b\)"),
        (lambda: compare_targets(alone, changed), r"1 of 400 prompts .* p3 \(checks, messages\)"),
        (lambda: compare_targets(alone, pair, candidate_targets=("a", "b")), "has no target 'b' to compare with"),
        (lambda: compare_targets(pair, replace(pair, suite=alone.suite)), "both sides are copies of run"),
        (lambda: compare_targets(judged("b")), "b uses the same model as judge 'strict' and cannot be compared"),
        (
            lambda: compare_targets(judged("x"), judged("y")),
            r"grade differently \(judge strict\); run the baseline again",
        ),
        (lambda: compare_targets(pair, gate={"ttft_p95": "15"}), "gate.ttft_p95: '15' has no unit; write 15% or 15ms"),
        (lambda: compare_targets(pair, gate={"speed": "15%"}), "gate.speed: no such metric"),
        (lambda: make_rules({"pass_rate": "15%"}), "percentage points"),
    ]
    for call, told in refused:
        with pytest.raises(CompareError, match=told):
            call()
    assert 2 == CompareError.exit_code


def test_a_pass_rate_is_the_same_number_in_a_summary_and_in_a_comparison(
    side: MakeSide, count_attempts: Callable[[Columns], AttemptCounts]
) -> None:
    """Prompt p0 was answered four times, all right, and p1 once, wrong: half of the prompts' answers pass, not 80 %."""
    ids = np.array(["p0"] * 4 + ["p1"], dtype=object)
    both = side(
        {name: noisy(5, seed=1, prompt_id=ids, group_id=ids, passed=np.array([1.0] * 4 + [0])) for name in "ab"}
    )
    level = rows(only(compare_targets(both)))["pass_rate"]
    c = both.data.columns["a"]
    summary = summarise_target(both.suite.targets[0], both.suite, c, count_attempts(c))
    assert summary.pass_rate is not None
    assert (
        0.5
        == level.baseline
        == level.candidate
        == summary.pass_rate.value
        == summary.pass_rate_by_tag["even"].value / 2
    )
    assert (5, 4) == (summary.scored, summary.passed)


def test_a_cost_per_request_is_the_same_number_in_a_summary_a_lead_and_a_comparison(
    side: MakeSide, count_attempts: Callable[[Columns], AttemptCounts]
) -> None:
    """Prompt p0 was asked four times at 1 cent, p1 once at 3, and a failed request of p1 had cost 50 by then."""
    ids = np.array(["p0"] * 4 + ["p1"] * 2, dtype=object)
    cents = np.array([1.0, 1, 1, 1, 3, 50]) / 100
    arrays = noisy(6, seed=1, prompt_id=ids, group_id=ids, cost_usd=cents, ok=np.arange(6) < 5)
    both = side({"a": arrays, "b": {**arrays, "cost_usd": 2 * cents}})
    row = rows(only(compare_targets(both)))["cost_per_request"]
    summaries = [
        summarise_target(target, both.suite, both.data.columns[target.name], count_attempts(both.data.columns["a"]))
        for target in both.suite.targets
    ]
    assert (0.02, 0.04) == pytest.approx((row.baseline, row.candidate))
    assert [row.baseline, row.candidate] == pytest.approx([each.cost_per_request_usd for each in summaries])
    assert [20.0, 40.0] == pytest.approx([each.cost_per_1000_usd for each in summaries])
    shown = figure_of(summaries[0], METRICS["cost_per_request"])
    assert shown is not None
    assert 0.02 == pytest.approx(shown.value)
