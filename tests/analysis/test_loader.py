"""Runs written by the store, read back as columns and counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.analysis import metrics
from harness.analysis.loader import MOST_MESSAGE_CHARACTERS, load_run
from harness.errors import StoreError
from harness.store.records import Attempt, Score
from harness.store.run_folder import RunFolder
from harness.suite.suite import Suite

MakeSuite = Callable[..., Suite]
MakeAttempt = Callable[..., Attempt]
WriteRun = Callable[..., RunFolder]


def failed_attempt(make_attempt: MakeAttempt, request_id: str, kind: str = "throttled", **changes: object) -> Attempt:
    nothing = dict.fromkeys(("first_ns", "last_ns", "input_tokens", "output_tokens", "cost_usd"))
    return make_attempt(request_id, ok=False, error_kind=kind, **{**nothing, **changes})


def score(request_id: str, passed: bool | None, scorer: str = "exact") -> Score:
    return Score(request_id=request_id, scorer=scorer, value=None if passed is None else float(passed), passed=passed)


def test_a_request_that_went_well_becomes_one_entry_in_seconds(
    make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun
) -> None:
    suite = make_suite()
    run = write_run(suite, [make_attempt("000000-00", repeat=2, group_id="g")], [score("000000-00", True)])
    c = load_run(run).columns["a"]
    assert "a" == c.target
    assert ["000000-00"] == c.request_id.tolist()
    assert ["p0"] == c.prompt_id.tolist()
    assert ["g"] == c.group_id.tolist()
    assert ([2], [1]) == (c.repeat.tolist(), c.attempts.tolist())
    stamps = (c.due_s, c.first_try_sent_s, c.sent_s, c.first_s, c.last_s, c.done_s)
    assert [1.0, 1.1, 1.1, 1.5, 2.5, 2.6] == [float(stamp[0]) for stamp in stamps]
    assert (True, None, 1.0) == (c.ok[0], c.error_kind[0], c.passed[0])
    assert (20.0, 11.0, 0.01) == (c.input_tokens[0], c.output_tokens[0], c.cost_usd[0])


def test_a_retried_request_is_due_at_its_first_attempt_and_ends_with_its_last(
    make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun
) -> None:
    suite = make_suite()
    first = failed_attempt(make_attempt, "000000-00", due_ns=500_000_000, sent_ns=600_000_000, cost_usd=0.02)
    run = write_run(suite, [make_attempt("000000-00", try_no=2), first])
    data = load_run(run)
    c = data.columns["a"]
    assert c.throttled is not None
    assert [1] == c.throttled.tolist()
    assert (1, 2, 0.5, 0.6, 1.1, 1.5) == (
        len(c.ok),
        c.attempts[0],
        c.due_s[0],
        c.first_try_sent_s[0],
        c.sent_s[0],
        c.first_s[0],
    )
    assert (True, None) == (c.ok[0], c.error_kind[0])
    assert pytest.approx(0.03) == c.cost_usd[0]
    assert ({"throttled": 1}, 2) == (data.counts["a"].error_kinds, data.counts["a"].attempts)


def test_backoff_is_told_apart_from_the_attempts(
    make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun
) -> None:
    def at(try_no: int, due: float, done: float | None) -> Attempt:
        stamps = {"due_ns": round(due * 1e9), "done_ns": None if done is None else round(done * 1e9)}
        return failed_attempt(make_attempt, "000000-00", try_no=try_no, sent_ns=round(due * 1e9), **stamps)

    last = make_attempt("000000-00", try_no=4, due_ns=8_000_000_000, first_ns=8_500_000_000, done_ns=9_000_000_000)
    once = make_attempt("000001-00", due_ns=1_000_000_000, done_ns=2_600_000_000)
    run = write_run(make_suite(), [at(1, 1.0, 1.5), at(2, 2.0, None), at(3, 4.0, 4.25), last, once])
    c = load_run(run).columns["a"]
    assert [0.5 + 2.0 + 3.75, 0.0] == c.backoff_s.tolist()
    assert [8.0, 1.0] == c.last_due_s.tolist()
    assert [6.25] == metrics.backoff_s(c)[~np.isnan(metrics.backoff_s(c))].tolist()
    assert [1.0, 1.6] == pytest.approx(metrics.attempt_e2e_s(c).tolist())
    assert [8.0, 1.6] == pytest.approx(metrics.e2e_s(c).tolist())
    assert 0.5 == metrics.attempt_ttft_s(c)[0]


def test_a_run_without_retries_throttles_and_cache_has_no_columns_of_them(
    make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun
) -> None:
    c = load_run(write_run(make_suite(), [make_attempt("000000-00"), make_attempt("000001-00")])).columns["a"]
    assert [None] * 5 == [c.last_due_s, c.backoff_s, c.throttled, c.cache_read_tokens, c.cache_write_tokens]
    cached = load_run(write_run(make_suite(), [make_attempt("000000-00", cache_write_tokens=7)])).columns["a"]
    assert cached.cache_read_tokens is not None
    assert cached.cache_write_tokens is not None
    assert ([0], [7]) == (cached.cache_read_tokens.tolist(), cached.cache_write_tokens.tolist())


def test_what_did_not_happen_in_the_last_attempt_is_not_borrowed_from_an_earlier_one(
    make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun
) -> None:
    suite = make_suite()
    cut = make_attempt("000000-00", ok=False, error_kind="stream_truncated", cost_usd=None)
    never_sent = failed_attempt(make_attempt, "000000-00", "connection", try_no=2, sent_ns=None, done_ns=None)
    run = write_run(suite, [cut, never_sent])
    c = load_run(run).columns["a"]
    gone = (c.sent_s, c.first_s, c.last_s, c.done_s, c.input_tokens, c.output_tokens, c.cost_usd)
    assert [True] * len(gone) == [bool(np.isnan(array[0])) for array in gone]
    assert (1.1, "connection") == (c.first_try_sent_s[0], c.error_kind[0])


def test_a_first_try_that_was_never_sent_has_no_queue_delay_to_borrow(
    make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun
) -> None:
    suite = make_suite()
    never_sent = failed_attempt(make_attempt, "000000-00", "connection", sent_ns=None)
    run = write_run(suite, [never_sent, make_attempt("000000-00", try_no=2)])
    c = load_run(run).columns["a"]
    assert np.isnan(c.first_try_sent_s[0])
    assert 1.1 == c.sent_s[0]


def test_warm_up_is_recorded_but_neither_a_request_nor_counted(
    make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun
) -> None:
    suite = make_suite()
    run = write_run(suite, [make_attempt("000000-00", phase="warmup"), make_attempt("000001-00")])
    data = load_run(run)
    assert ["000001-00"] == data.columns["a"].request_id.tolist()
    assert (1, 2) == (data.counts["a"].attempts, data.recorded)


def test_targets_come_in_the_suites_order_and_requests_in_due_order(
    make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun
) -> None:
    suite = make_suite(targets=("b", "a", "silent"))
    attempts = [
        make_attempt("000002-00", target="a", due_ns=30),
        make_attempt("000001-00", target="a", due_ns=20),
        make_attempt("000000-01", target="b", due_ns=10),
        make_attempt("000000-00", target="a", due_ns=20),
    ]
    data = load_run(write_run(suite, attempts))
    assert ["b", "a"] == list(data.columns) == list(data.counts)
    assert ["000000-00", "000001-00", "000002-00"] == data.columns["a"].request_id.tolist()


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([True], 1.0),
        ([False], 0.0),
        ([True, True], 1.0),
        ([True, False], 0.0),
        ([None, False], 0.0),
        ([True, None], None),
        ([None], None),
        ([], None),
    ],
)
def test_a_request_passes_when_every_check_does_and_is_unscored_when_one_broke(
    verdicts: list[bool | None],
    expected: float | None,
    make_suite: MakeSuite,
    make_attempt: MakeAttempt,
    write_run: WriteRun,
) -> None:
    suite = make_suite()
    scores = [score("000000-00", passed, f"check-{at}") for at, passed in enumerate(verdicts)]
    passed = load_run(write_run(suite, [make_attempt("000000-00")], scores)).columns["a"].passed[0]
    assert expected == (None if np.isnan(passed) else passed)


def test_without_scores_no_answer_is_scored(
    make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun
) -> None:
    run = write_run(make_suite(), [make_attempt("000000-00")])
    assert np.isnan(load_run(run).columns["a"].passed[0])


def test_counts_are_of_attempts_with_the_most_frequent_error_first(
    make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun
) -> None:
    suite = make_suite()
    attempts = [
        failed_attempt(make_attempt, "000000-00", "connection"),
        failed_attempt(make_attempt, "000001-00", "throttled", try_no=1),
        failed_attempt(make_attempt, "000001-00", "throttled", try_no=2),
        make_attempt("000001-00", try_no=3, cache_read_tokens=7, cache_write_tokens=5),
    ]
    counts = load_run(write_run(suite, attempts)).counts["a"]
    assert [("throttled", 2), ("connection", 1)] == list(counts.error_kinds.items())
    assert (4, 20, 11, 7, 5, 0.01) == (
        counts.attempts,
        counts.input_tokens,
        counts.output_tokens,
        counts.cache_read_tokens,
        counts.cache_write_tokens,
        counts.cost_usd,
    )


def test_tokens_of_the_cache_stand_beside_each_request(
    make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun
) -> None:
    attempts = [
        make_attempt("000000-00", cache_read_tokens=7, cache_write_tokens=5),
        make_attempt("000001-00", cache_read_tokens=None, cache_write_tokens=None),
    ]
    c = load_run(write_run(make_suite(), attempts)).columns["a"]
    assert c.cache_read_tokens is not None
    assert c.cache_write_tokens is not None
    assert ([7, 0], [5, 0]) == (c.cache_read_tokens.tolist(), c.cache_write_tokens.tolist())


def test_each_error_kind_comes_with_its_most_frequent_message(
    make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun
) -> None:
    messages = ["rare", "501 Unsupported method", "501 Unsupported method", None]
    attempts = [
        *(
            failed_attempt(make_attempt, f"{at:06d}-00", "server_error", error_message=message)
            for at, message in enumerate(messages)
        ),
        failed_attempt(make_attempt, "000008-00", "validation", error_message="x" * 5000),
        failed_attempt(make_attempt, "000009-00", "protocol"),
    ]
    page = "<!DOCTYPE HTML>\n<html>\n  <h1>Error</h1>\n<p>Error code: 501 <\n"
    attempts.append(failed_attempt(make_attempt, "000010-00", "unavailable", error_message=page))
    counts = load_run(write_run(make_suite(), attempts)).counts["a"]
    assert {"server_error": 4, "protocol": 1, "unavailable": 1, "validation": 1} == counts.error_kinds
    told = {
        "server_error": "501 Unsupported method",
        "unavailable": "Error Error code: 501 <",
        "validation": "x" * (MOST_MESSAGE_CHARACTERS - 1) + "…",
    }
    assert told == counts.error_messages


def test_what_the_user_cancelled_neither_fails_nor_counts(
    make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun
) -> None:
    attempts = [
        make_attempt("000000-00"),
        failed_attempt(make_attempt, "000001-00", "throttled", try_no=1),
        failed_attempt(make_attempt, "000001-00", "cancelled", try_no=2),
    ]
    data = load_run(write_run(make_suite(), attempts))
    assert ["000000-00"] == data.columns["a"].request_id.tolist()
    assert ({}, 1, 2) == (data.counts["a"].error_kinds, data.counts["a"].attempts, data.recorded)


def test_an_answer_that_came_whole_has_no_first_chunk(
    make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun
) -> None:
    c = load_run(write_run(make_suite(), [make_attempt("000000-00", stream=False)])).columns["a"]
    assert (True, True, 2.6) == (np.isnan(c.first_s[0]), np.isnan(c.last_s[0]), c.done_s[0])


def test_a_cost_that_no_attempt_knows_is_unknown(
    make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun
) -> None:
    suite = make_suite()
    data = load_run(write_run(suite, [make_attempt("000000-00", cost_usd=None)]))
    assert data.counts["a"].cost_usd is None
    assert np.isnan(data.columns["a"].cost_usd[0])


def test_a_run_without_any_attempt_has_no_columns(make_suite: MakeSuite, write_run: WriteRun) -> None:
    suite = make_suite()
    data = load_run(write_run(suite, []))
    assert ({}, {}, 0) == (data.columns, data.counts, data.recorded)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a run"):
        load_run(RunFolder(tmp_path / "nowhere"))


def test_attempts_that_cannot_be_read_are_an_error_with_the_runs_name(
    make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun
) -> None:
    suite = make_suite()
    run = write_run(suite, [make_attempt("000000-00")])
    whole = run.attempts_path.read_bytes()
    run.attempts_path.write_bytes(whole[:4] + bytes(len(whole) // 2 - 4) + whole[len(whole) // 2 :])
    with pytest.raises(StoreError, match="cannot be read"):
        load_run(run)


def test_the_servers_own_times_are_read_only_where_there_are_any(make_suite, make_attempt, write_run) -> None:
    c = load_run(write_run(make_suite(), [make_attempt("000000-00")])).columns["a"]
    assert (c.server_latency_s, c.server_first_byte_s) == (None, None)
    given = [make_attempt("000000-00", server_latency_ms=1250.0), make_attempt("000001-00")]
    c = load_run(write_run(make_suite(), given)).columns["a"]
    assert c.server_latency_s[0] == 1.25
    assert np.isnan(c.server_latency_s[1])
    assert c.server_first_byte_s is None


def test_attempts_over_time_are_counted_in_bins_that_all_targets_share(make_suite, make_attempt, write_run) -> None:
    def at(second: float, name: str = "a", try_no: int = 1, **changes: object):
        changes |= {"target": name, "try_no": try_no, "due_ns": 0, "sent_ns": int(second * 1e9)}
        return make_attempt(f"{int(second):06d}-{'ab'.index(name):02d}", **changes)

    failed = {"ok": False, "error_kind": "throttled"}
    attempts = [at(0), at(30, **failed), at(60, **failed), at(60, "b"), at(59.5, "b", try_no=2, **failed)]
    counts = load_run(write_run(make_suite(("a", "b")), attempts)).counts
    a, b = counts["a"].over_time, counts["b"].over_time
    assert (a.start_s, a.width_s) == (b.start_s, b.width_s) == (0.0, 1.0)
    assert np.flatnonzero(a.errors["throttled"]).tolist() == [30, 59]
    assert (a.attempts.sum(), b.attempts.sum(), b.retries[59]) == (3, 2, 1)


def test_without_a_failed_attempt_nothing_is_counted_over_time(make_suite, make_attempt, write_run) -> None:
    assert load_run(write_run(make_suite(), [make_attempt("000000-00")])).counts["a"].over_time is None
