"""From a run's columns to its summary."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from harness.analysis.columns import AttemptCounts, Columns, RunData
from harness.analysis.loader import load_run
from harness.analysis.stats.interval import Interval
from harness.analysis.stats.proportions import clustered_rate, wilson
from harness.analysis.summary.summarise import ks_of, summarise, summarise_repeats, summarise_target
from harness.analysis.summary.summary import RunSummary
from harness.store.manifest import Manifest
from harness.store.records import Attempt, Score
from harness.store.run_folder import RunFolder
from harness.suite.suite import Load, Slo, Suite

MakeColumns = Callable[..., Columns]


@pytest.fixture
def sum_up(
    make_suite: Callable[..., Suite],
    make_run_manifest: Callable[..., Manifest],
    count_attempts: Callable[[Columns], AttemptCounts],
) -> Callable[..., RunSummary]:
    def build(*columns: Columns, **changes: Any) -> RunSummary:
        suite = make_suite(targets=[c.target for c in columns], **changes)
        data = RunData(
            columns={c.target: c for c in columns},
            counts={c.target: count_attempts(c) for c in columns},
            recorded=sum(len(c.ok) for c in columns),
        )
        return summarise(make_run_manifest(suite, origin_utc_ns=1_767_225_600_900_000_000), suite, data)

    return build


def test_a_summary_names_its_run(make_columns: MakeColumns, sum_up: Callable[..., RunSummary]) -> None:
    summary = sum_up(make_columns(10))
    assert ("trial", "0123456789ab", "complete", True, "simulator", "closed", 0.95) == (
        summary.suite,
        summary.suite_digest,
        summary.state,
        summary.simulated,
        summary.endpoint,
        summary.arrival,
        summary.level,
    )
    assert "2026-01-01T00:00:00Z" == summary.started_utc


def test_a_target_is_told_by_its_figures(make_columns: MakeColumns, sum_up: Callable[..., RunSummary]) -> None:
    passed = np.ones(100)
    passed[:10] = 0
    (target,) = sum_up(make_columns(100, passed=passed)).targets
    assert ("a", "anthropic.a", "global", "converse", "aioboto3", "us-east-1") == (
        target.target,
        target.base_model,
        target.routing,
        target.api,
        target.client,
        target.region,
    )
    assert (100, 100, 100, 100, 90) == (
        target.requests,
        target.attempts,
        target.succeeded,
        target.scored,
        target.passed,
    )
    assert clustered_rate(np.full(10, 9), np.full(10, 10)) == target.pass_rate
    assert target.ttft_s is not None
    assert (100, 0.5, 0.5) == (target.ttft_s.n, target.ttft_s.p50.value, target.ttft_s.mean)
    assert target.ttft_s.p99.high is None
    assert target.tpot_s is not None
    assert pytest.approx(0.1) == target.tpot_s.p50.value
    assert pytest.approx(1100 / 100.6) == target.output_tokens_per_s
    assert pytest.approx((0.01, 10.0, 1 / 90)) == (
        target.cost_per_request_usd,
        target.cost_per_1000_usd,
        target.cost_per_correct_usd,
    )
    assert (None, None) == (target.offered_per_s, target.goodput_per_s)


def test_no_failure_is_bounded_by_the_rule_of_three_and_no_success_as_well(
    make_columns: MakeColumns, sum_up: Callable[..., RunSummary]
) -> None:
    (flawless,) = sum_up(make_columns(100)).targets
    assert (1.0, pytest.approx(0.97, abs=1e-4), 1.0) == msgspec.structs.astuple(flawless.success_rate)
    (broken,) = sum_up(make_columns(100, ok=np.zeros(100, dtype=np.bool_))).targets
    assert (0.0, 0.0, pytest.approx(0.03, abs=1e-4)) == msgspec.structs.astuple(broken.success_rate)


def test_a_success_rate_counts_each_prompt_once_as_a_pass_rate_does(
    make_columns: MakeColumns, sum_up: Callable[..., RunSummary]
) -> None:
    """p0 is asked six times and fails throughout, four prompts are asked once."""
    prompts = np.array(["p0"] * 6 + ["p1", "p2", "p3", "p4"], dtype=object)
    ok = prompts != "p0"
    (target,) = sum_up(make_columns(10, prompt_id=prompts, group_id=prompts, ok=ok, passed=ok * 1.0)).targets
    assert target.pass_rate is not None
    assert (4, 0.8, 0.8) == (target.succeeded, target.success_rate.value, target.pass_rate.value)
    assert pytest.approx(0.2) == target.error_rate.value


def test_a_burst_of_failures_and_failing_prompts_make_a_success_rate_less_certain(
    make_columns: MakeColumns, sum_up: Callable[..., RunSummary]
) -> None:
    prompts = np.array([f"p{i % 10}" for i in range(400)], dtype=object)
    apart, at_once, of_one = (np.ones(400, dtype=np.bool_) for _ in range(3))
    apart[np.arange(400) % 41 == 0] = False
    at_once[100:110] = False
    of_one[np.arange(400) % 40 == 0] = False
    spans = []
    for ok in (apart, at_once, of_one):
        (target,) = sum_up(make_columns(400, prompt_id=prompts, group_id=prompts, ok=ok)).targets
        rate = target.success_rate
        assert pytest.approx(0.975) == rate.value
        spans.append((rate.high or 0.0) - (rate.low or 0.0))
    independent = wilson(390, 400)
    assert pytest.approx((independent.high or 0.0) - (independent.low or 0.0), rel=0.2) == spans[0]
    assert min(spans[1:]) > 1.4 * spans[0]


def test_pass_rates_by_tag_follow_the_suite_and_leave_out_what_was_not_scored(
    make_columns: MakeColumns, sum_up: Callable[..., RunSummary]
) -> None:
    passed = np.array([1, 0, 1, 0, np.nan, np.nan, 0, 0, 1, np.nan])
    (target,) = sum_up(make_columns(10, passed=passed)).targets
    assert {"even": wilson(3, 4), "odd": wilson(0, 3)} == target.pass_rate_by_tag
    (unscored,) = sum_up(make_columns(10, passed=np.full(10, np.nan))).targets
    assert ({}, None, 0) == (unscored.pass_rate_by_tag, unscored.pass_rate, unscored.scored)


def test_open_loads_have_an_offered_rate_and_objectives_a_goodput(
    make_columns: MakeColumns, sum_up: Callable[..., RunSummary]
) -> None:
    load = Load(arrival="constant", rate_per_s=1.0, warmup=1)
    (target,) = sum_up(make_columns(10), load=load, slo=Slo(ttft_s=1.0)).targets
    assert pytest.approx((1.0, 1.0, 1.0)) == (target.offered_per_s, target.achieved_per_s, target.goodput_per_s)


def test_repeats_of_a_prompt_and_prompts_of_a_group_do_not_narrow_the_pass_rate(
    make_columns: MakeColumns,
    sum_up: Callable[..., RunSummary],
    make_suite: Callable[..., Suite],
    count_attempts: Callable[[Columns], AttemptCounts],
) -> None:
    passed = (np.arange(100) % 10 < 8).astype(np.float64)
    (target,) = sum_up(make_columns(100, passed=passed)).targets
    once = wilson(8, 10)
    assert target.pass_rate is not None
    assert target.pass_rate.low is not None
    assert target.pass_rate.high is not None
    assert once.low is not None
    assert once.high is not None
    assert (0.8, True, True) == (
        target.pass_rate.value,
        target.pass_rate.low < once.low,
        target.pass_rate.high > once.high,
    )
    suite, c = make_suite(), make_columns(10)
    grouped = tuple(msgspec.structs.replace(p, group=f"g{i // 5}") for i, p in enumerate(suite.prompts))
    by_group = summarise_target(suite.targets[0], msgspec.structs.replace(suite, prompts=grouped), c, count_attempts(c))
    assert wilson(2, 2) == by_group.pass_rate
    lows = [interval.low for interval in by_group.pass_rate_by_tag.values()]
    assert lows == pytest.approx([wilson(2, 2).low] * 2, abs=0.01)  # groups of 3 and 2 are a little less than two


def test_a_target_that_does_not_stream_has_no_ttft(
    make_suite: Callable[..., Suite],
    make_attempt: Callable[..., Attempt],
    write_run: Callable[..., RunFolder],
) -> None:
    suite = make_suite()
    run = write_run(suite, [make_attempt(f"{i:06d}-00", prompt_id=f"p{i}", stream=False) for i in range(10)])
    (target,) = summarise(run.read_manifest(), suite, load_run(run)).targets
    missing = (target.ttft_s, target.ttft_from_sent_s, target.tpot_s, target.stream_tokens_per_s)
    assert (None,) * 4 == missing
    assert target.e2e_s is not None


def test_a_target_whose_every_request_failed_has_no_latency(
    make_columns: MakeColumns, sum_up: Callable[..., RunSummary]
) -> None:
    gone = np.full(10, np.nan)
    c = make_columns(
        10,
        ok=np.zeros(10, np.bool_),
        error_kind=np.full(10, "connection", dtype=object),
        first_try_sent_s=gone,
        sent_s=gone,
        first_s=gone,
        last_s=gone,
        done_s=gone,
        output_tokens=gone,
        input_tokens=gone,
        cost_usd=gone,
        passed=np.zeros(10),
    )
    summary = sum_up(c)
    (target,) = summary.targets
    nothing = (target.ttft_s, target.e2e_s, target.tpot_s, target.queue_delay_s, target.cost_usd)
    assert (None,) * 5 == nothing
    assert (None, None, 0.0) == (target.achieved_per_s, summary.total_cost_usd, summary.duration_s)
    assert {"connection": 10} == target.error_kinds
    assert any(finding.invalidates for finding in summary.findings)


def test_the_duration_and_the_cost_are_those_of_all_targets(
    make_columns: MakeColumns, sum_up: Callable[..., RunSummary]
) -> None:
    late = np.arange(10) + 100.0
    summary = sum_up(make_columns(10, "early"), make_columns(10, "late", due_s=late, done_s=late + 1))
    assert (110.0, pytest.approx(0.2)) == (summary.duration_s, summary.total_cost_usd)


def test_a_summary_holds_no_number_that_json_cannot(
    make_columns: MakeColumns, sum_up: Callable[..., RunSummary]
) -> None:
    holes = np.where(np.arange(10) % 2, np.nan, 1.0)
    summary = sum_up(make_columns(10, output_tokens=holes, passed=holes, cost_usd=holes), make_columns(10, "b"))
    assert summary == msgspec.json.decode(msgspec.json.encode(summary), type=RunSummary)


def test_a_stored_run_is_summed_up(
    make_suite: Callable[..., Suite],
    make_attempt: Callable[..., Attempt],
    write_run: Callable[..., RunFolder],
) -> None:
    suite = make_suite()
    attempts = [make_attempt(f"{i:06d}-00", prompt_id=f"p{i}") for i in range(10)]
    scores = [Score(request_id=f"{i:06d}-00", scorer="exact", value=1.0, passed=True) for i in range(10)]
    run = write_run(suite, attempts, scores)
    summary = summarise(run.read_manifest(), suite, load_run(run))
    (target,) = summary.targets
    assert (run.path.name, 10, 10) == (summary.run_id, target.requests, target.passed)
    assert target.e2e_s is not None
    assert Interval(value=1.6, low=1.6, high=1.6) == msgspec.structs.replace(target.e2e_s.p50, value=1.6)


@pytest.mark.parametrize(
    ("answers", "ks"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (8, [1, 2, 4, 8]), (5, [1, 2, 4, 5])]
)
def test_powers_of_two_and_all_answers_are_told(answers: int, ks: list[int]) -> None:
    assert ks_of(answers) == ks


def repeats_of(make_columns: Any, make_suite: Any, passed: dict[str, list[float]], **groups: str) -> Any:
    prompts = [name for name, values in passed.items() for _ in values]
    values = np.array([value for each in passed.values() for value in each])
    columns = make_columns(len(values), prompt_id=np.array(prompts, dtype=object), passed=values)
    return summarise_repeats(columns, make_suite(prompts=len(passed)).prompts)


def test_each_prompt_counts_once_however_often_it_was_asked(make_columns: Any, make_suite: Any) -> None:
    several = repeats_of(make_columns, make_suite, {"p0": [1, 1, 0, 0], "p1": [1, 1, 1, 1], "p2": [0, 0, 0]})
    assert (several.answers, several.prompts, several.left_out) == (3, 3, 0)
    assert several.pass_at[1].value == several.pass_hat[1].value == pytest.approx((0.5 + 1 + 0) / 3)
    assert several.pass_at[2].value == pytest.approx((5 / 6 + 1 + 0) / 3)
    assert several.pass_hat[2].value == pytest.approx((1 / 6 + 1 + 0) / 3)
    assert several.pass_hat[3].value == pytest.approx((0 + 1 + 0) / 3)
    for interval in (*several.pass_at.values(), *several.pass_hat.values()):
        assert 0 <= interval.low < interval.value < interval.high <= 1


def test_unscored_answers_are_left_out_and_prompts_with_too_few_are_told(make_columns: Any, make_suite: Any) -> None:
    several = repeats_of(make_columns, make_suite, {"p0": [1, 1, 1, 0], "p1": [1, np.nan, np.nan, np.nan]})
    assert (several.answers, several.prompts, several.left_out) == (4, 1, 1)
    assert several.pass_at[1].value == pytest.approx(0.75)


def test_one_answer_a_prompt_says_nothing_of_several(make_columns: Any, make_suite: Any) -> None:
    assert repeats_of(make_columns, make_suite, {"p0": [1], "p1": [0]}) is None
    assert repeats_of(make_columns, make_suite, {"p0": [np.nan, np.nan]}) is None
