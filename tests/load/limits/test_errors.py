"""The window of a target's latest requests, and when it stops the target."""

from __future__ import annotations

from typing import Any

from harness.load.limits.errors import ALL_STOPPED, ErrorGuard, StoppedTarget
from harness.load.progress import Progress, Tally
from harness.load.stop import Stop
from harness.suite.suite import Load, StopRules


def test_a_target_is_stopped_once_its_window_is_full_of_errors_and_the_load_once_all_are(make_suite: Any) -> None:
    suite = make_suite(Load(), targets=2, stop=StopRules(max_error_rate=0.5, window=10))
    told: list[str] = []
    stopped: dict[str, StoppedTarget] = {}
    stop = Stop()
    guard = ErrorGuard(suite, stopped, has_sent_all=lambda name: False, stop_target=told.append, stop=stop)
    for _ in range(100):
        guard.count("t0", 1, {})
    for _ in range(5):
        guard.count("t0", 1, {"throttled": 1})
    assert [] == told  # half of the latest ten is not more than half
    guard.count("t0", 1, {"connection": 1})
    assert ["t0"] == told
    assert {"throttled": 5, "connection": 1} == stopped["t0"].failures
    assert not stop.requested
    guard.count("t1", 9, {"throttled": 9})
    assert ["t0"] == told  # the window is not full
    guard.count("t1", 1, {})
    assert (["t0", "t1"], ALL_STOPPED) == (told, stop.reason)


def test_without_a_rule_nothing_is_stopped(make_suite: Any) -> None:
    told: list[str] = []
    suite, stop = make_suite(Load()), Stop()
    guard = ErrorGuard(suite, {}, has_sent_all=lambda name: False, stop_target=told.append, stop=stop)
    guard.count("t0", 1000, {"throttled": 1000})
    assert ([], False) == (told, stop.requested)


def test_a_target_whose_window_fills_with_its_last_request_is_not_stopped(make_suite: Any) -> None:
    suite, stop = make_suite(Load(), stop=StopRules(max_error_rate=0.5, window=10)), Stop()
    stopped: dict[str, StoppedTarget] = {}
    progress = Progress(planned=10, tallies={"t0": Tally(done=8, in_flight=1)})
    assert not progress.has_sent_all("t0")
    progress.tallies["t0"].in_flight += 1
    guard = ErrorGuard(suite, stopped, has_sent_all=progress.has_sent_all, stop_target=stopped.pop, stop=stop)
    guard.count("t0", 10, {"throttled": 10})
    assert ({}, False) == (stopped, stop.requested)
