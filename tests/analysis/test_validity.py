"""Each finding, at the threshold where it begins, with what invalidates a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from harness.analysis.columns import AttemptCounts, Columns, RunData
from harness.analysis.validity import check_validity, worst_lateness_s
from harness.catalog.target import Options
from harness.store.client_health import ClientHealth, HeldBack, LostNode, NodeClock
from harness.store.finding import Finding
from harness.store.manifest import Manifest
from harness.store.records import PAIRWISE
from harness.suite.suite import Check as SuiteCheck
from harness.suite.suite import Load, Quota, Suite

MakeColumns = Callable[..., Columns]
Check = Callable[..., list[Finding]]


@pytest.fixture
def make_columns(make_columns: MakeColumns) -> MakeColumns:
    """As everywhere, but each request is independent of the others."""

    def build(n: int = 10, target: str = "a", **changes: Any) -> Columns:
        return make_columns(n, target, **{"group_id": np.arange(n).astype(str).astype(object), **changes})

    return build


@pytest.fixture
def check(
    make_suite: Callable[..., Suite],
    make_run_manifest: Callable[..., Manifest],
    count_attempts: Callable[[Columns], AttemptCounts],
) -> Check:
    """The findings of a run of these columns; `suite` and other keywords change the suite and the manifest."""

    def build(
        *columns: Columns, suite: Suite | None = None, recorded: int | None = None, **facts: Any
    ) -> list[Finding]:
        suite = suite or make_suite(targets=[c.target for c in columns])
        data = RunData(
            columns={c.target: c for c in columns},
            counts={c.target: count_attempts(c) for c in columns},
            recorded=sum(len(c.ok) for c in columns) if recorded is None else recorded,
        )
        return check_validity(make_run_manifest(suite, **facts), suite, data)

    return build


def lag(p99_s: float, cpu_share: float = 0.2, **more: Any) -> tuple[ClientHealth, ...]:
    late = dict.fromkeys(("lag_p50_ns", "lag_p99_ns", "lag_max_ns"), int(p99_s * 1e9))
    return (ClientHealth(lag_samples=100, cpu_share=cpu_share, busiest_cpu_share=cpu_share, **late, **more),)


def invalid(findings: list[Finding]) -> list[str]:
    return [finding.what for finding in findings if finding.invalidates]


def test_a_good_run_with_enough_samples_has_nothing_to_say(make_columns: MakeColumns, check: Check) -> None:
    assert [] == check(make_columns(368), planned=368, clients=lag(0.001))


@pytest.mark.parametrize("state", ["running", "interrupted", "failed"])
def test_a_run_that_did_not_end_is_invalid(state: str, make_columns: MakeColumns, check: Check) -> None:
    findings = check(make_columns(400), state=state, planned=500)
    assert [f"the run is {state}, not complete: it recorded 400 of 500 planned requests"] == invalid(findings)


@pytest.mark.parametrize("recorded", [399, 401])
def test_a_complete_run_holds_exactly_its_planned_requests(
    recorded: int, make_columns: MakeColumns, check: Check
) -> None:
    findings = check(make_columns(400), planned=400, recorded=recorded)
    assert [f"the run recorded {recorded} of 400 planned requests"] == invalid(findings)


def test_a_duration_may_end_a_closed_load_before_its_plan(
    make_columns: MakeColumns, check: Check, make_suite: Callable[..., Suite]
) -> None:
    timed = make_suite(load=Load(warmup=1, duration_s=60.0, repeats=50))
    assert [] == check(make_columns(400), suite=timed, planned=500)
    assert ["the run recorded 501 of 500 planned requests"] == invalid(
        check(make_columns(400), suite=timed, planned=500, recorded=501)
    )


def test_a_target_without_a_measured_request_is_named(
    make_columns: MakeColumns, check: Check, make_suite: Callable[..., Suite]
) -> None:
    findings = check(make_columns(400), suite=make_suite(targets=("a", "silent")))
    assert ["no requests were measured for silent"] == invalid(findings)


def fail(make_columns: MakeColumns, n: int, failed: int, kind: str, target: str = "a") -> Columns:
    ok = np.arange(n) >= failed
    kinds = np.array([None if went_well else kind for went_well in ok], dtype=object)
    return make_columns(n, target, ok=ok, error_kind=kinds)


def test_many_failures_are_told_with_their_kind_and_do_not_invalidate(make_columns: MakeColumns, check: Check) -> None:
    findings = check(fail(make_columns, 1000, 51, "access_denied"))
    assert [
        Finding(
            what="a: 51 of 1000 requests failed, most often with access_denied; "
            "latencies cover successful requests only",
            remedy="request access to the model in this account and Region",
        )
    ] == findings
    assert [] == check(fail(make_columns, 1000, 50, "access_denied"))


def test_a_kind_without_a_remedy_of_its_own_points_at_the_messages(make_columns: MakeColumns, check: Check) -> None:
    (finding,) = check(fail(make_columns, 1000, 500, "protocol"))
    assert "error_message" in finding.remedy


def test_a_target_of_which_everything_failed_makes_the_run_invalid(make_columns: MakeColumns, check: Check) -> None:
    dead, alive = fail(make_columns, 400, 400, "connection", "dead"), make_columns(400, "alive")
    expected = ["dead: all 400 requests failed, most often with connection; latencies cover successful requests only"]
    assert expected == invalid(check(dead, alive))
    dying = fail(make_columns, 400, 399, "connection", "dying")
    expected = [
        "dying: 399 of 400 requests failed, most often with connection; latencies cover successful requests only"
    ]
    assert expected == invalid(check(dying, alive))


def test_one_failed_request_is_told_in_the_singular(make_columns: MakeColumns, check: Check) -> None:
    whats = [finding.what for finding in check(fail(make_columns, 1, 1, "connection"))]
    assert "a: the only request failed with connection; latencies cover successful requests only" in whats


def test_half_of_the_requests_may_fail_before_a_run_is_invalid(make_columns: MakeColumns, check: Check) -> None:
    assert [] == invalid(check(fail(make_columns, 400, 200, "connection")))
    assert 1 == len(invalid(check(fail(make_columns, 400, 201, "connection"))))


def test_failures_are_told_with_what_the_endpoint_said(
    make_columns: MakeColumns,
    make_suite: Callable[..., Suite],
    make_run_manifest: Callable[..., Manifest],
    count_attempts: Callable[[Columns], AttemptCounts],
) -> None:
    c, suite = fail(make_columns, 400, 40, "server_error"), make_suite()
    counts = replace(count_attempts(c), error_messages={"server_error": "501 Unsupported method"})
    data = RunData(columns={"a": c}, counts={"a": counts}, recorded=400)
    finding, *_ = check_validity(make_run_manifest(suite), suite, data)
    assert "40 of 400 requests failed, most often with server_error: 501 Unsupported method; " in finding.what


def test_without_streaming_lateness_is_held_against_the_whole_answer(make_columns: MakeColumns, check: Check) -> None:
    sent, gone = np.arange(400) + 0.4, np.full(400, np.nan)
    late = make_columns(400, first_try_sent_s=sent, sent_s=sent, first_s=gone, last_s=gone)
    assert ["a: the median request was sent 400 ms late, with a median answer time of 1200 ms"] == invalid(check(late))


def test_throttled_attempts_are_told_apart_from_failures(make_columns: MakeColumns, check: Check) -> None:
    whats = [finding.what for finding in check(fail(make_columns, 400, 40, "throttled"))]
    assert "a: 40 of 400 attempts were throttled; its latencies include the back-off" in whats


def test_a_late_event_loop_is_told_and_a_very_late_one_invalidates(make_columns: MakeColumns, check: Check) -> None:
    expected = ["the event loop ran 60 ms late (p99), with a median TTFT of 500 ms: the client was a bottleneck"]
    findings = check(make_columns(400), clients=lag(0.06))
    assert expected == [finding.what for finding in findings]
    assert [] == invalid(findings)
    assert 1 == len(invalid(check(make_columns(400), clients=lag(0.13))))
    assert [] == check(make_columns(400), clients=lag(0.05))


def test_event_loop_lag_is_held_against_the_fastest_target(make_columns: MakeColumns, check: Check) -> None:
    fast, slow = make_columns(400, "fast"), make_columns(400, "slow", first_s=np.arange(400) + 50.0)
    assert 1 == len(invalid(check(slow, fast, clients=lag(0.2))))


def test_a_machine_that_slept_invalidates_the_run(make_columns: MakeColumns, check: Check) -> None:
    (finding,) = check(make_columns(400), clients=lag(0.001, slept_ns=312_000_000_000))
    assert "this machine slept for 312 s during the run" in finding.what
    assert finding.invalidates
    assert [] == check(make_columns(400), clients=lag(0.001, slept_ns=20_000))


@pytest.mark.parametrize(("set_s", "told"), [(3600, "forward by 3,600 s"), (-90, "back by 90 s")])
def test_a_clock_that_was_set_is_told_and_invalidates_nothing(
    make_columns: MakeColumns, check: Check, set_s: int, told: str
) -> None:
    (finding,) = check(make_columns(400), clients=lag(0.001, clock_set_ns=set_s * 10**9))
    assert f"this machine's clock was set {told}" in finding.what
    assert not finding.invalidates


@pytest.mark.parametrize(("ahead_s", "told"), [(5.3, "5.3 s ahead of"), (-301, "301.0 s behind")])
def test_a_node_whose_clock_is_off_is_told_and_invalidates_nothing(
    make_columns: MakeColumns, check: Check, ahead_s: float, told: str
) -> None:
    def node(wall_ahead_s: float) -> NodeClock:
        return NodeClock(ahead_ns=10**15, uncertainty_ns=200_000, wall_ahead_ns=int(wall_ahead_s * 1e9))

    (finding,) = check(make_columns(400), clients=lag(0.001, worker=2, node_clock=node(ahead_s)))
    assert f"worker 2: the clock of its node is {told} the clock of the machine that started the run" == finding.what
    assert not finding.invalidates
    assert [] == check(make_columns(400), clients=lag(0.001, node_clock=node(0.9)))


@pytest.mark.parametrize(
    ("paused_ns", "told"),
    [(2_100_000_000, "another one went on with its part after 2.1 s"), (None, "nobody went on with its part")],
)
def test_a_lost_node_is_told_and_invalidates_nothing(
    make_columns: MakeColumns, check: Check, paused_ns: int | None, told: str
) -> None:
    lost = LostNode(at_ns=42_000_000_000, cancelled=7, paused_ns=paused_ns)
    (finding,) = check(make_columns(400), clients=lag(0.001, worker=1, lost_nodes=(lost,)))
    assert f"worker 1: its node was lost 42 s into the run with 7 requests in flight; {told}" == finding.what
    assert not finding.invalidates


def test_a_full_core_is_told(make_columns: MakeColumns, check: Check) -> None:
    (finding,) = check(make_columns(400), clients=lag(0.001, cpu_share=0.95))
    assert ("the harness used 95% of a core", False) == (finding.what, finding.invalidates)


def test_requests_that_left_late_tell_of_the_client(make_columns: MakeColumns, check: Check) -> None:
    sent = np.arange(400) + 0.2
    findings = check(make_columns(400, first_try_sent_s=sent, sent_s=sent))
    assert ["a: the median request was sent 200 ms late, with a median TTFT of 300 ms"] == invalid(findings)


def test_a_client_side_cap_may_hold_requests_back(
    make_columns: MakeColumns, check: Check, make_suite: Callable[..., Suite]
) -> None:
    sent = np.arange(400) + 0.2
    capped = make_suite(quota=Quota(requests_per_minute=60.0))
    (finding,) = check(make_columns(400, first_try_sent_s=sent, sent_s=sent), suite=capped)
    assert not finding.invalidates
    assert "quota" in finding.remedy


def test_a_schedule_that_slips_invalidates_an_open_load_only(
    make_columns: MakeColumns, check: Check, make_suite: Callable[..., Suite]
) -> None:
    due = np.arange(400.0)
    sent = due + np.linspace(0, 0.5, 400) ** 3 * 4
    c = make_columns(400, first_try_sent_s=sent, sent_s=sent, first_s=sent + 2)
    open_load = make_suite(load=Load(arrival="constant", rate_per_s=1.0, warmup=1))
    (what,) = invalid(check(c, suite=open_load))
    assert what.startswith("a: the client fell behind its schedule")
    assert [] == invalid(check(c))


def test_the_worst_tenth_finds_a_stall_and_forgives_slow_connections() -> None:
    stalled = np.zeros(200)
    stalled[100:120] = 1.0
    assert 1.0 == worst_lateness_s(stalled)
    scattered = np.zeros(200)
    scattered[::5] = 1.0
    assert 0.0 == worst_lateness_s(scattered)
    assert 0.0 == worst_lateness_s(np.array([np.nan, np.nan]))
    assert 3.0 == worst_lateness_s(np.array([np.nan, 3.0]))


@pytest.mark.parametrize(("n", "names"), [(71, ["p95", "p99"]), (72, ["p99"]), (367, ["p99"]), (368, [])])
def test_tail_quantiles_without_an_upper_bound_say_how_many_samples_they_need(
    n: int, names: list[str], make_columns: MakeColumns, check: Check
) -> None:
    findings = check(make_columns(n))
    assert names == [finding.what.split()[0] for finding in findings]
    if n == 71:
        assert "p95 rests on 71 samples and has no upper bound" == findings[0].what
        assert "collect at least 72: add prompts, repeats or time" == findings[0].remedy


@pytest.mark.parametrize(("prompts", "names"), [(1, []), (5, ["p50", "p95", "p99"]), (23, ["p95", "p99"]), (123, [])])
def test_repeats_of_few_prompts_are_no_tail_and_the_finding_asks_for_prompts(
    prompts: int, names: list[str], make_columns: MakeColumns, check: Check
) -> None:
    """One prompt alone is measured for itself."""
    n = 400 // prompts * prompts
    findings = check(make_columns(n, group_id=(np.arange(n) % prompts).astype(str).astype(object)))
    assert names == [finding.what.split()[0] for finding in findings if "prompts or groups" in finding.remedy]
    if prompts == 23:
        assert "p95 rests on 391 samples from 23 prompts or groups and has no upper bound" == findings[0].what
        assert "collect at least 408 from 24 prompts or groups: add prompts" == findings[0].remedy


def test_answers_without_a_verdict_are_counted_unless_nothing_is_checked(
    make_columns: MakeColumns, check: Check, make_suite: Callable[..., Suite]
) -> None:
    c = make_columns(400, passed=np.where(np.arange(400) < 7, np.nan, 1.0))
    assert ["7 of 400 answers were not scored; pass rates leave them out"] == [finding.what for finding in check(c)]
    suite = make_suite()
    bare = msgspec.structs.replace(
        suite, prompts=tuple(msgspec.structs.replace(prompt, checks=()) for prompt in suite.prompts)
    )
    assert [] == check(c, suite=bare)


@pytest.mark.parametrize(("pairwise", "unscored"), [(0, 80), (1, 40), (10, 0)])
def test_answers_that_are_only_compared_in_pairs_need_no_verdict(
    pairwise: int, unscored: int, make_columns: MakeColumns, check: Check, make_suite: Callable[..., Suite]
) -> None:
    suite = make_suite(targets="ab", baseline="a")
    pairs = tuple(
        msgspec.structs.replace(each, checks=(SuiteCheck(type=PAIRWISE),)) for each in suite.prompts[:pairwise]
    )
    suite = msgspec.structs.replace(suite, prompts=(*pairs, *suite.prompts[pairwise:]))
    passed = np.where(np.arange(400) % 10 < 2, np.nan, 1.0)  # of p0 and p1
    found = [each.what for each in check(make_columns(400, passed=passed), suite=suite) if "scored" in each.what]
    expected = [f"{unscored} of 400 answers were not scored; pass rates leave them out"] if unscored else []
    assert expected == found


def test_targets_without_a_known_price_are_named_once(make_columns: MakeColumns, check: Check) -> None:
    many = np.array([f"p{i}" for i in range(400)], dtype=object)
    unpriced = [make_columns(400, name, cost_usd=np.full(400, np.nan), group_id=many) for name in ("a", "b")]
    (finding,) = check(*unpriced, make_columns(400, "c", group_id=many))
    assert "the cost of some answers from a, b is unknown; cost figures leave them out" == finding.what


def test_a_price_that_is_missing_for_its_service_tier_says_so(
    make_columns: MakeColumns, check: Check, make_suite: Callable[..., Suite]
) -> None:
    suite = make_suite()
    flex = msgspec.structs.replace(suite.prompts[0], options=Options(service_tier="flex"))
    asked = msgspec.structs.replace(suite, prompts=(flex, *suite.prompts[1:]))
    (finding,) = check(make_columns(400, cost_usd=np.full(400, np.nan)), suite=asked)
    assert "unknown (the price list has no price with service_tier: flex); cost figures" in finding.what


def test_a_run_without_warm_up_says_so(
    make_columns: MakeColumns, check: Check, make_suite: Callable[..., Suite]
) -> None:
    (finding,) = check(make_columns(400), suite=make_suite(load=Load()))
    assert finding.what.startswith("no warm-up")


def test_what_is_on_record_is_kept_once_and_what_invalidates_comes_first(
    make_columns: MakeColumns, check: Check
) -> None:
    torn = Finding(what="a torn line", remedy="run it again")
    findings = check(make_columns(400), findings=(torn, torn), state="interrupted")
    assert [True, False] == [finding.invalidates for finding in findings]
    assert torn == findings[1]


def test_a_head_that_is_slower_than_the_rest_says_that_the_warm_up_was_too_short(
    make_columns: MakeColumns, check: Check
) -> None:
    wait = np.where(np.arange(400) < 40, 0.9, 0.5) + np.linspace(0, 0.01, 400)
    (what,) = invalid(check(make_columns(400, first_s=np.arange(400) + wait)))
    assert what == (
        "a: the warm-up was too short: the first tenth of the run had a median TTFT of 900 ms, the rest 506 ms"
    )


@pytest.mark.parametrize("arrival", ["ramp", "steps", "trace"])
def test_a_load_that_changes_is_not_held_to_its_head(
    arrival: str, make_columns: MakeColumns, check: Check, make_suite: Callable[..., Suite]
) -> None:
    first = np.arange(400) + np.where(np.arange(400) < 40, 0.9, 0.5)
    assert [] == invalid(
        check(make_columns(400, first_s=first), suite=make_suite(load=Load(arrival=arrival, warmup=1)))
    )


def test_an_even_run_is_not_called_cold(make_columns: MakeColumns, check: Check) -> None:
    for seed in range(50):
        wait = np.random.default_rng(seed).lognormal(-0.7, 0.5, 400)
        assert [] == invalid(check(make_columns(400, first_s=np.arange(400) + wait)))


def test_an_endpoint_with_slow_minutes_is_not_called_cold(make_columns: MakeColumns, check: Check) -> None:
    slow = np.isin(np.arange(400) // 40, (0, 6))
    assert [] == invalid(check(make_columns(400, first_s=np.arange(400) + np.where(slow, 0.9, 0.5))))


def test_a_stall_soon_after_the_start_is_not_called_cold(make_columns: MakeColumns, check: Check) -> None:
    stalled = (np.arange(400) >= 10) & (np.arange(400) < 36)
    assert [] == invalid(check(make_columns(400, first_s=np.arange(400) + np.where(stalled, 0.9, 0.5))))


def test_a_warm_up_that_reaches_into_the_second_tenth_was_too_short(make_columns: MakeColumns, check: Check) -> None:
    cold = np.arange(400) < 75
    assert 1 == len(invalid(check(make_columns(400, first_s=np.arange(400) + np.where(cold, 0.9, 0.5)))))


def test_waiting_for_a_connection_is_told(make_columns: MakeColumns, check: Check) -> None:
    (finding,) = check(
        make_columns(400), clients=lag(0.001, connections=1000, connections_most=1200, connection_waits=7)
    )
    assert finding.what == "7 attempts waited for a connection: all 1,000 were in use"


def test_a_long_pause_for_garbage_is_told(make_columns: MakeColumns, check: Check) -> None:
    (finding,) = check(make_columns(400), clients=lag(0.001, gc_pauses=3, gc_longest_ns=200_000_000))
    assert finding.what == "garbage collection paused the client for up to 200 ms, with a median TTFT of 500 ms"


def test_what_max_in_flight_held_back_is_told_for_each_target(
    make_columns: MakeColumns, check: Check, make_suite: Callable[..., Suite]
) -> None:
    held = {"a": HeldBack(requests=48, longest_ns=9_800_000_000), "b": HeldBack()}
    open_load = make_suite(load=Load(arrival="constant", rate_per_s=1.0, warmup=1, max_in_flight=2))
    (finding,) = check(make_columns(400), clients=lag(0.001, held_back=held), suite=open_load)
    assert finding.what == (
        "a: max_in_flight (2) held back 48 requests for up to 9.8 s; latency counts from when they were due"
    )
