"""Findings arise while a load runs, with the words of the finished run's checks."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from harness.load.progress import Progress, Tally
from harness.report.live.findings import LiveFindings
from harness.report.live.rates import Recent
from harness.store.client_health import LostNode
from harness.suite.suite import Load, Suite

MS = 1_000_000
OPEN = Load(arrival="constant", rate_per_s=10.0, requests=400)

MakeSuite = Callable[..., Suite]


def answer(tally: Tally, times: int, *, wait_ms: int = 500, late_ms: int = 0, cost_usd: float = 0.0) -> None:
    for _ in range(times):
        tally.done += 1
        tally.answered += 1
        tally.cost_usd += cost_usd
        tally.wait.add(wait_ms * MS)
        tally.late.add(late_ms * MS)


def fail(tally: Tally, times: int, kind: str, message: str = "", *, requests: bool = True) -> None:
    tally.done += times * requests
    tally.errors[kind] = tally.errors.get(kind, 0) + times
    tally.messages.setdefault(kind, message)


class Run:
    """A load of one or more targets, looked at whenever the test wants."""

    def __init__(self, suite: Suite, planned: int | None = None) -> None:
        self.progress = Progress(planned=planned, tallies={target.name: Tally() for target in suite.targets})
        self.recent, self.live = Recent(self.progress), LiveFindings(suite, self.progress)

    def tally(self, name: str = "a") -> Tally:
        return self.progress.tallies[name]

    def found(self, at_s: float) -> dict[tuple[str, str], str]:
        self.recent.observe(at_s)
        return {key: finding.what for key, finding in self.live.check(self.recent, at_s).items()}


def test_a_healthy_load_has_no_findings(make_suite: MakeSuite) -> None:
    run = Run(make_suite("a", load=OPEN, budget_usd=100.0), planned=400)
    for second in range(1, 30):
        answer(run.tally(), 10, cost_usd=0.01)
        run.progress.lag.add(MS)
        assert {} == run.found(second)


def test_a_target_that_fails_everything_is_named_with_the_endpoint_s_reason(make_suite: MakeSuite) -> None:
    run = Run(make_suite("a", "b"))
    answer(run.tally("b"), 5)
    fail(run.tally("a"), 4, "access_denied", "no access to the model")
    assert {} == run.found(1)
    fail(run.tally("a"), 1, "access_denied")
    what = "a: all 5 requests failed, most often with access_denied: no access to the model; latencies cover successful"
    assert {("failures", "a"): f"{what} requests only"} == run.found(2)


def test_throttled_attempts_are_told_above_a_share_even_where_retries_succeed(make_suite: MakeSuite) -> None:
    run = Run(make_suite("a"))
    answer(run.tally(), 95)
    fail(run.tally(), 5, "throttled", requests=False)
    assert {} == run.found(1)
    fail(run.tally(), 1, "throttled", requests=False)
    what = "a: 6 of 101 attempts were throttled; its latencies include the back-off"
    assert {("throttled", "a"): what} == run.found(2)


def test_a_stall_stays_a_finding_after_the_client_has_caught_up(make_suite: MakeSuite) -> None:
    run = Run(make_suite("a", load=OPEN))
    answer(run.tally(), 200)
    assert {} == run.found(5)
    answer(run.tally(), 20, late_ms=400)
    what = run.found(10)["behind", "a"]
    assert "a: the client fell behind its schedule: for 5 s, the median request was sent 397 ms late" == what
    answer(run.tally(), 900)
    assert what == run.found(20)["behind", "a"]


def test_a_target_behind_its_schedule_is_told_only_that(make_suite: MakeSuite) -> None:
    run = Run(make_suite("a", load=OPEN))
    answer(run.tally(), 20, wait_ms=500, late_ms=400)
    assert [("behind", "a")] == list(run.found(5))


def test_a_closed_load_has_no_schedule_to_fall_behind(make_suite: MakeSuite) -> None:
    run = Run(make_suite("a"))
    answer(run.tally(), 20, wait_ms=9000, late_ms=400)
    assert {} == run.found(5)


def test_lateness_is_measured_against_the_wait(make_suite: MakeSuite) -> None:
    run = Run(make_suite("a"))
    answer(run.tally(), 20, wait_ms=500, late_ms=100)
    assert [("late", "a")] == list(run.found(5))


def test_a_slow_event_loop_is_told_after_two_seconds(make_suite: MakeSuite) -> None:
    run = Run(make_suite("a"))
    answer(run.tally(), 20, wait_ms=500)
    for samples, expected in ((99, []), (1, [("lag", "")])):
        for _ in range(samples):
            run.progress.lag.add(80 * MS)
        assert expected == list(run.found(2))


@pytest.mark.parametrize(("slow", "expected"), [(800, [("cold", "a")]), (600, [])])
def test_a_first_tenth_slower_than_the_rest_is_a_cold_start(
    make_suite: MakeSuite, slow: int, expected: list[tuple[str, str]]
) -> None:
    run = Run(make_suite("a"), planned=100)
    answer(run.tally(), 10, wait_ms=slow)
    assert {} == run.found(1)
    answer(run.tally(), 19, wait_ms=500)
    assert {} == run.found(2)
    answer(run.tally(), 1, wait_ms=500)
    assert expected == list(run.found(3))


def test_a_ramp_does_not_start_cold(make_suite: MakeSuite) -> None:
    run = Run(make_suite("a", load=Load(arrival="ramp", rate_per_s=1.0, to_per_s=2.0, duration_s=60.0)), planned=100)
    answer(run.tally(), 10, wait_ms=900)
    run.found(1)
    answer(run.tally(), 40, wait_ms=500)
    assert {} == run.found(2)


def test_a_budget_that_will_not_last_is_told_in_time(make_suite: MakeSuite) -> None:
    run = Run(make_suite("a", budget_usd=5.0), planned=100)
    answer(run.tally(), 20, cost_usd=0.06)
    what = "the budget of $5.00 is too small: at this cost the load takes $6.00"
    assert {("budget", ""): what} == run.found(2)
    answer(run.tally(), 56, cost_usd=0.06)
    assert {("budget", ""): "$4.56 of the budget of $5.00 is spent"} == run.found(3)


def test_findings_that_invalidate_the_run_come_first(make_suite: MakeSuite) -> None:
    run = Run(make_suite("a", "b"))
    fail(run.tally("a"), 30, "throttled", requests=False)
    answer(run.tally("a"), 30)
    fail(run.tally("b"), 30, "connection")
    assert [("failures", "b"), ("throttled", "a")] == list(run.found(1))


def test_a_lost_node_is_told_while_its_part_waits_and_again_once_it_goes_on(make_suite: MakeSuite) -> None:
    run = Run(make_suite("a"))
    lost = LostNode(at_ns=60_000_000_000, cancelled=3, paused_ns=None)
    run.progress.lost_nodes = {0: (), 1: (lost,)}
    what = "worker 1: its node was lost 60 s into the run with 3 requests in flight; "
    ((waiting, told),) = run.found(61).items()
    assert f"{what}its part waits for a free CPU on another one" == told
    run.progress.lost_nodes[1] = (msgspec.structs.replace(lost, paused_ns=2_400_000_000),)
    ((going_on, told),) = run.found(64).items()
    assert f"{what}another one went on with its part after 2.4 s" == told
    assert waiting != going_on
