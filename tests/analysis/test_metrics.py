"""Each metric against its formula, worked by hand."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from harness.analysis import metrics
from harness.analysis.columns import Columns
from harness.analysis.metrics import METRICS
from harness.analysis.summary.summary import TargetSummary
from harness.suite.fields import COST_MARGIN, LATENCY_MARGIN, POINTS
from harness.suite.grammar.gate import BY_TAG, GateEntry
from harness.suite.suite import Slo

MakeColumns = Callable[..., Columns]
NAN = float("nan")


def test_ttft_and_e2e_count_from_due_and_queue_delay_is_what_lies_between(make_columns: MakeColumns) -> None:
    c = make_columns(2, first_try_sent_s=np.array([0.25, 1.0]), sent_s=np.array([0.25, 1.0]))
    assert [0.5, 0.5] == metrics.ttft_s(c).tolist()
    assert [0.25, 0.5] == metrics.ttft_from_sent_s(c).tolist()
    assert [0.25, 0.0] == metrics.queue_delay_s(c).tolist()
    assert pytest.approx([1.6, 1.6]) == metrics.e2e_s(c).tolist()


def test_the_back_off_of_a_retry_is_in_ttft_and_not_in_queue_delay(make_columns: MakeColumns) -> None:
    c = make_columns(1, first_try_sent_s=np.array([0.0]), sent_s=np.array([3.0]), first_s=np.array([3.5]))
    assert [3.5] == metrics.ttft_s(c).tolist()
    assert [0.5] == metrics.ttft_from_sent_s(c).tolist()
    assert [0.0] == metrics.queue_delay_s(c).tolist()


def test_latencies_are_taken_over_successes_only(make_columns: MakeColumns) -> None:
    c = make_columns(2, ok=np.array([True, False]))
    for metric in (
        metrics.ttft_s,
        metrics.ttft_from_sent_s,
        metrics.e2e_s,
        metrics.tpot_s,
        metrics.stream_tokens_per_s,
    ):
        assert [False, True] == np.isnan(metric(c)).tolist()
    assert not np.isnan(metrics.queue_delay_s(c)).any()


def test_tpot_is_the_time_between_the_first_and_last_chunk_over_the_tokens_after_the_first(
    make_columns: MakeColumns,
) -> None:
    c = make_columns(1)
    assert pytest.approx([0.1]) == metrics.tpot_s(c).tolist()
    assert pytest.approx([10.0]) == metrics.stream_tokens_per_s(c).tolist()


def test_tpot_is_missing_for_a_single_token_a_single_chunk_and_unknown_usage(make_columns: MakeColumns) -> None:
    c = make_columns(
        4, output_tokens=np.array([1.0, 11.0, NAN, 0.0]), last_s=np.array([0.6, 1.5, 3.5, 4.5]), due_s=np.arange(4.0)
    )
    assert np.isnan(metrics.tpot_s(c)).all()
    assert np.isnan(metrics.stream_tokens_per_s(c)).all()


def test_rates_are_over_the_span_from_the_first_due_to_the_last_done(make_columns: MakeColumns) -> None:
    c = make_columns(9, ok=np.arange(9) != 3)
    assert pytest.approx(9.6) == metrics.span_s(c)
    assert pytest.approx(99 / 9.6) == metrics.output_tokens_per_s(c, arrival="closed")
    assert pytest.approx(8 / 9.6) == metrics.achieved_per_s(c, arrival="closed")


def test_an_open_load_that_is_kept_up_with_is_achieved_however_slow_each_answer_is(make_columns: MakeColumns) -> None:
    due = np.arange(200) / 20
    c = make_columns(200, due_s=due, done_s=due + np.random.default_rng(3).uniform(2, 5, 200))
    achieved = metrics.achieved_per_s(c, arrival="constant")
    assert pytest.approx(20, rel=0.03) == achieved
    flat = make_columns(200, due_s=due, first_s=due + 1, done_s=due + 4)
    assert pytest.approx(20.0) == metrics.achieved_per_s(flat, arrival="constant")
    assert pytest.approx(220.0) == metrics.output_tokens_per_s(flat, arrival="constant")
    assert pytest.approx(20.0) == metrics.goodput_per_s(flat, Slo(e2e_s=5.0), arrival="constant")


def test_a_queue_that_grows_reads_as_what_comes_out_of_it(make_columns: MakeColumns) -> None:
    due = np.arange(200) / 20
    c = make_columns(200, due_s=due, done_s=1 + np.arange(200) / 8)
    assert pytest.approx(8.0) == metrics.achieved_per_s(c, arrival="constant")


def test_a_target_that_dies_half_way_achieves_half_of_an_open_load(make_columns: MakeColumns) -> None:
    assert pytest.approx(0.5) == metrics.achieved_per_s(make_columns(100, ok=np.arange(100) < 50), arrival="constant")


def test_one_answer_is_no_rate_of_an_open_load(make_columns: MakeColumns) -> None:
    assert metrics.achieved_per_s(make_columns(1), arrival="constant") is None
    assert metrics.achieved_per_s(make_columns(2, due_s=np.full(2, 5.0)), arrival="constant") is None


def test_the_offered_load_of_a_constant_schedule_is_its_rate(make_columns: MakeColumns) -> None:
    assert pytest.approx(1.0) == metrics.offered_per_s(make_columns(10))
    assert metrics.offered_per_s(make_columns(1)) is None
    assert metrics.offered_per_s(make_columns(3, due_s=np.zeros(3))) is None


def test_rates_cannot_be_said_when_nothing_was_done(make_columns: MakeColumns) -> None:
    c = make_columns(2, done_s=np.full(2, NAN), ok=np.zeros(2, np.bool_))
    assert metrics.span_s(c) is None
    for arrival in ("closed", "constant"):
        assert metrics.achieved_per_s(c, arrival=arrival) is None
        assert metrics.output_tokens_per_s(c, arrival=arrival) is None


def test_goodput_counts_successes_that_met_every_objective(make_columns: MakeColumns) -> None:
    first = np.arange(4) + np.array([0.5, 1.5, 0.5, 0.5])
    done = np.arange(4) + np.array([1.6, 1.6, 9.0, 1.6])
    c = make_columns(4, first_s=first, done_s=done, ok=np.array([True, True, True, False]))
    span = metrics.span_s(c)
    assert span is not None
    assert pytest.approx(1 / span) == metrics.goodput_per_s(c, Slo(ttft_s=1.0, e2e_s=2.0), arrival="closed")
    assert pytest.approx(2 / span) == metrics.goodput_per_s(c, Slo(ttft_s=1.0), arrival="closed")
    assert metrics.goodput_per_s(c, Slo(), arrival="closed") is None


def test_without_streaming_the_objective_for_ttft_is_not_applied(make_columns: MakeColumns) -> None:
    c = make_columns(2, first_s=np.full(2, NAN))
    both = Slo(ttft_s=0.1, e2e_s=2.0)
    assert pytest.approx(2 / 2.6) == metrics.goodput_per_s(c, both, arrival="closed", stream=False)
    assert metrics.goodput_per_s(c, Slo(ttft_s=0.1), arrival="closed", stream=False) is None


def test_a_success_without_content_does_not_meet_a_ttft_objective(make_columns: MakeColumns) -> None:
    c = make_columns(2, first_s=np.array([NAN, 1.5]))
    span = metrics.span_s(c)
    assert span is not None
    assert pytest.approx(1 / span) == metrics.goodput_per_s(c, Slo(ttft_s=1.0), arrival="closed")


def test_costs_are_means_and_ratios_of_what_is_known(make_columns: MakeColumns) -> None:
    c = make_columns(
        4,
        cost_usd=np.array([0.01, 0.03, NAN, 0.02]),
        passed=np.array([1.0, 0.0, 0.0, 1.0]),
        ok=np.array([True, True, False, True]),
    )
    assert pytest.approx(0.02) == metrics.cost_per_request_usd(c)
    assert pytest.approx(0.03) == metrics.cost_per_correct_usd(c)


def test_cost_per_request_counts_every_prompt_once_and_answers_alone(make_columns: MakeColumns) -> None:
    """p0: 1, 2 and 3 cents, p1: 10; the failed request of p1 cost 50 on the way and is no answer."""
    c = make_columns(
        5,
        prompt_id=np.array(["p0", "p0", "p0", "p1", "p1"], dtype=object),
        cost_usd=np.array([0.01, 0.02, 0.03, 0.10, 0.50]),
        ok=np.array([True, True, True, True, False]),
    )
    assert pytest.approx((0.02 + 0.10) / 2) == metrics.cost_per_request_usd(c)


def test_an_unknown_cost_is_never_nought(make_columns: MakeColumns) -> None:
    unknown = make_columns(2, cost_usd=np.full(2, NAN))
    assert metrics.cost_per_request_usd(unknown) is None
    assert metrics.cost_per_correct_usd(unknown) is None
    assert metrics.cost_per_correct_usd(make_columns(2, cost_usd=np.array([0.01, NAN]))) is None
    assert metrics.cost_per_correct_usd(make_columns(2, passed=np.zeros(2))) is None


def test_a_gate_of_a_suite_names_the_metrics_whose_margins_the_table_knows() -> None:
    gates = {key: metric.margin for key, metric in METRICS.items() if metric.margin is not None}
    fields = [name for name in GateEntry.__struct_fields__ if name != BY_TAG]
    assert gates.keys() == set(fields)
    patterns = {"points": POINTS, "latency": LATENCY_MARGIN, "cost": COST_MARGIN}
    properties = msgspec.json.schema(GateEntry)["$defs"]["GateEntry"]["properties"]
    assert {key: patterns[kind] for key, kind in gates.items()} == {
        key: next(each["pattern"] for each in properties[key]["anyOf"] if "pattern" in each) for key in gates
    }


def test_what_a_summary_holds_of_a_metric_is_one_of_its_fields() -> None:
    readable = {*TargetSummary.__struct_fields__, "error_rate"}
    assert {metric.field for metric in METRICS.values() if metric.field} <= readable
    assert {each.__name__ for each in metrics.PER_REQUEST} <= readable
    assert all(metric.field for metric in METRICS.values() if metric.leads or metric.least_change is not None)


@pytest.mark.parametrize(
    ("key", "label", "unit", "up_is_worse"),
    [
        ("ttft_p95", "TTFT p95", "s", True),
        ("pass_rate", "pass rate", "share", False),
        ("pass_rate[two_words]", "pass rate [two_words]", "share", False),
        ("pass^3", "pass^3", "share", False),
        ("e2e_p50_equal_length", "E2E p50 at equal length", "s", True),
        ("cost_per_request", "cost per request", "usd", True),
    ],
)
def test_every_row_of_a_comparison_finds_its_metric(key: str, label: str, unit: str, up_is_worse: bool) -> None:
    found = metrics.metric_of(key)
    assert (key, label, unit, up_is_worse) == (found.key, found.label, found.unit, found.up_is_worse)
