"""The engine in virtual time, with a scripted client at its edge: schedules, slots, deadlines and retries, exactly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Self

import pytest

from harness import clock
from harness.endpoints.base import Tape, WireRequest
from harness.load.limits.in_flight import Connections, InFlightLimit
from harness.load.limits.quota import make_admission
from harness.load.plan import Part, make_plan
from harness.load.progress import Progress, Tally
from harness.load.runner import run_plan
from harness.load.sender import Channel
from harness.load.session import Job, Session, make_send
from harness.load.stop import INTERRUPTED, Stop
from harness.store.records import Attempt
from harness.suite.private_texts import NOT_STORED
from harness.suite.suite import Load, Quota, Retries, Suite, Timeouts

OK = json.dumps(
    {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": "Paris"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 7, "output_tokens": 2},
    }
).encode()
HOUR_S = 3600.0


class Answer:
    """What the scripted server does with one request: how long it takes, and what it says."""

    def __init__(self, after_s: float = 1.0, status: int = 200, retry_after: str | None = None) -> None:
        self.after_s, self.status = after_s, status
        self.headers = {} if status == 200 else {"x-amzn-errortype": "ThrottlingException:http://x"}
        if retry_after is not None:
            self.headers["retry-after"] = retry_after


class ScriptedClient:
    """Answers in virtual time from a script; the last entry goes on for ever."""

    def __init__(self, script: Iterable[Answer]) -> None:
        self._script = list(script)
        self.in_flight = self.most_in_flight = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        return None

    async def send(self, request: WireRequest, tape: Tape) -> None:
        answer = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        tape.mark_sent()
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(answer.after_s)
            tape.mark_head(answer.status, answer.headers)
            tape.add(OK if answer.status == 200 else b'{"message": "slow down"}')
        finally:
            self.in_flight -= 1
            tape.mark_done()


def scripted_channels(suite: Suite, client: ScriptedClient, stop: Stop) -> dict[str, Channel]:
    """Channels to a suite's targets that all lead to one scripted client."""
    return {
        target.name: Channel(
            target=target,
            client=client,
            connections=Connections(1),
            admission=make_admission(suite.quota, target, stop),
            in_flight_limit=InFlightLimit(suite.load.max_in_flight),
            stop=stop.part(),
        )
        for target in suite.targets
    }


class Run:
    """A suite sent by the real engine through a scripted client, in virtual time."""

    def __init__(self, suite: Suite, script: Iterable[Answer]) -> None:
        self.attempts: list[Attempt] = []
        self.client = ScriptedClient(script)
        self.suite = suite
        self.channels: dict[str, Channel] = {}
        self.stop = Stop()

    async def __call__(self, *, stop_after_s: float | None = None, cancel_after_s: float | None = None) -> None:
        suite, stop = self.suite, self.stop
        self.channels = scripted_channels(suite, self.client, stop)
        session = Session(
            job=Job(run_id="r", seed=1, origin_ns=clock.now_ns()),
            part=Part(suite=suite),
            channels=self.channels,
            progress=Progress(planned=None, tallies={target.name: Tally() for target in suite.targets}),
            stop=stop,
        )
        sending = run_plan(
            lambda: make_plan(suite, seed=1),
            make_send(session, self.attempts.append),
            suite.load,
            targets=[target.name for target in suite.targets],
            stop=stop,
        )
        if stop_after_s is not None:
            asyncio.get_running_loop().call_later(stop_after_s, stop.request, INTERRUPTED)
        try:
            async with asyncio.timeout(cancel_after_s):
                await sending
        except TimeoutError:
            return


def seconds(stamp_ns: int | None) -> float | None:
    return None if stamp_ns is None else round(stamp_ns / 1e9, 6)


def test_waiting_for_the_cap_shows_as_queue_delay(make_suite: Any, run_virtual: Any) -> None:
    suite = make_suite(Load(arrival="constant", rate_per_s=2.0), prompts=4, quota=Quota(requests_per_minute=60))
    run = Run(suite, [Answer(after_s=0.1)])
    run_virtual(run())
    assert [0.0, 0.5, 1.0, 1.5] == [seconds(one.due_ns) for one in run.attempts]
    lateness = [(one.sent_ns or 0) - one.due_ns for one in run.attempts]
    assert lateness == sorted(lateness)
    assert lateness[-1] >= 1.4e9


def test_open_load_sends_on_time_however_many_are_in_flight(make_suite: Any, run_virtual: Any) -> None:
    suite = make_suite(Load(arrival="constant", rate_per_s=10.0), prompts=8, targets=2)
    run = Run(suite, [Answer(after_s=60.0)])
    run_virtual(run())
    assert 16 == run.client.most_in_flight
    assert all(one.sent_ns == one.due_ns for one in run.attempts)
    assert {round(0.1 * k, 6) for k in range(8)} == {seconds(one.due_ns) for one in run.attempts}


def test_no_request_of_an_open_load_leaves_before_it_is_due(make_suite: Any, run_in_milliseconds: Any) -> None:
    suite = make_suite(Load(arrival="poisson", rate_per_s=200.0, warmup=20), prompts=400, targets=2)
    run = Run(suite, [Answer(after_s=0.1)])
    run_in_milliseconds(run())
    late_ns = [(one.sent_ns or 0) - one.due_ns for one in run.attempts]
    assert 840 == len(late_ns)
    assert 0 <= min(late_ns)
    assert max(late_ns) <= 1_500_000


def test_no_retry_leaves_before_its_backoff_is_over(make_suite: Any, run_in_milliseconds: Any) -> None:
    suite = make_suite(Load(concurrency=4), prompts=100, retries=Retries(max_attempts=4, base_s=0.01))
    run = Run(suite, [Answer(0.1, 429)])
    run_in_milliseconds(run())
    assert 400 == len(run.attempts)
    assert 0 <= min((one.sent_ns or 0) - one.due_ns for one in run.attempts)


def test_closed_load_keeps_every_slot_busy_and_no_more(make_suite: Any, run_virtual: Any) -> None:
    suite = make_suite(Load(concurrency=3), prompts=12)
    run = Run(suite, [Answer(after_s=1.0)])
    run_virtual(run())
    assert 3 == run.client.most_in_flight
    dues = sorted(seconds(one.due_ns) or 0 for one in run.attempts)
    assert [round(wave + 0.1 * slot, 6) for wave in range(4) for slot in range(3)] == dues


def test_once_an_answer_has_come_slots_start_at_the_rate_at_which_they_will_send(
    make_suite: Any, run_virtual: Any
) -> None:
    run = Run(make_suite(Load(concurrency=10), prompts=10), [Answer(after_s=0.15)])
    run_virtual(run())
    again = {0.15, 0.25}
    starts = sorted({seconds(one.due_ns) or 0.0 for one in run.attempts} - again)
    assert [0.0, 0.1, 0.2, 0.215, 0.23, 0.245, 0.26, 0.275] == starts


def test_after_a_quick_answer_slots_start_a_millisecond_apart(make_suite: Any, run_virtual: Any) -> None:
    run = Run(make_suite(Load(concurrency=10), prompts=11), [Answer(after_s=0.002), Answer(after_s=60.0)])
    run_virtual(run())
    dues = sorted(seconds(one.due_ns) or 0.0 for one in run.attempts)
    assert [0.0, 0.002, *(0.1 + 0.001 * slot for slot in range(9))] == pytest.approx(dues)


def test_a_load_ends_with_its_last_answer_though_not_every_slot_has_started(make_suite: Any, run_virtual: Any) -> None:
    run, took_ns = Run(make_suite(Load(concurrency=8), prompts=2), [Answer(after_s=0.01)]), []

    async def timed() -> None:
        start_ns = clock.now_ns()
        await run()
        took_ns.append(clock.now_ns() - start_ns)

    run_virtual(timed())
    assert [0.1] == [seconds(each) for each in took_ns]


def test_a_paired_slot_is_free_when_all_targets_have_answered(make_suite: Any, run_virtual: Any) -> None:
    suite = make_suite(Load(concurrency=1), prompts=2, targets=2)
    run = Run(suite, [Answer(1.0), Answer(5.0), Answer(1.0), Answer(1.0)])
    run_virtual(run())
    assert [0.0, 0.0, 5.0, 5.0] == sorted(seconds(one.due_ns) for one in run.attempts)


def test_unpaired_targets_do_not_wait_for_each_other(make_suite: Any, run_virtual: Any) -> None:
    suite = make_suite(Load(concurrency=1, paired=False), prompts=2, targets=2)
    run = Run(suite, [Answer(1.0), Answer(5.0), Answer(1.0), Answer(1.0)])
    run_virtual(run())
    assert [0.0, 0.0, 1.0, 5.0] == sorted(seconds(one.due_ns) for one in run.attempts)
    assert 4 == len({one.request_id for one in run.attempts})


def test_warmup_is_over_before_anything_is_measured(make_suite: Any, run_virtual: Any) -> None:
    suite = make_suite(Load(concurrency=4, warmup=2), prompts=4)
    run = Run(suite, [Answer(1.0)])
    run_virtual(run())
    warm_done = max(one.done_ns or 0 for one in run.attempts if one.phase == "warmup")
    assert warm_done <= min(one.due_ns for one in run.attempts if one.phase == "measure")


def test_a_duration_ends_a_closed_load(make_suite: Any, run_virtual: Any) -> None:
    suite = make_suite(Load(concurrency=2, duration_s=10.0), prompts=4)
    run = Run(suite, [Answer(1.0)])
    run_virtual(run())
    assert 20 == len(run.attempts)


def test_a_failure_on_the_list_is_tried_again_and_every_attempt_is_recorded(make_suite: Any, run_virtual: Any) -> None:
    suite = make_suite(Load(concurrency=1), prompts=1, retries=Retries(max_attempts=3))
    run = Run(suite, [Answer(1.0, 429), Answer(1.0, 429), Answer(1.0)])
    run_virtual(run())
    assert [(1, "throttled"), (2, "throttled"), (3, None)] == [(one.try_no, one.error_kind) for one in run.attempts]
    assert 1 == len({one.request_id for one in run.attempts})
    assert 3 == len({one.attempt_id for one in run.attempts})
    assert (run.attempts[1].due_ns) > (run.attempts[0].done_ns or 0)


def test_retries_end_with_the_last_attempt_allowed(make_suite: Any, run_virtual: Any) -> None:
    suite = make_suite(Load(concurrency=1), prompts=1, retries=Retries(max_attempts=2))
    run = Run(suite, [Answer(1.0, 429)])
    run_virtual(run())
    assert ["throttled", "throttled"] == [one.error_kind for one in run.attempts]


def test_a_failure_that_is_not_on_the_list_is_not_tried_again(make_suite: Any, run_virtual: Any) -> None:
    suite = make_suite(Load(concurrency=1), prompts=1, retries=Retries(max_attempts=3, on=("unavailable",)))
    run = Run(suite, [Answer(1.0, 429)])
    run_virtual(run())
    assert 1 == len(run.attempts)


def test_the_total_deadline_ends_an_attempt(make_suite: Any, run_virtual: Any) -> None:
    suite = make_suite(Load(concurrency=1), prompts=1, timeouts=Timeouts(total_s=7.0))
    run = Run(suite, [Answer(HOUR_S)])
    run_virtual(run())
    assert ["total_timeout"] == [one.error_kind for one in run.attempts]
    assert 7.0 == seconds(run.attempts[0].done_ns)


def test_stopping_hands_out_nothing_more_and_finishes_what_is_in_flight(make_suite: Any, run_virtual: Any) -> None:
    suite = make_suite(Load(concurrency=2, repeats=10), prompts=4)
    run = Run(suite, [Answer(10.0)])
    run_virtual(run(stop_after_s=15.0))
    assert 4 == len(run.attempts)
    assert all(one.ok for one in run.attempts)


def test_stopping_an_open_load_does_not_wait_for_the_next_due_time(make_suite: Any, run_virtual: Any) -> None:
    suite = make_suite(Load(arrival="constant", rate_per_s=1 / HOUR_S), prompts=4)
    run = Run(suite, [Answer(1.0)])

    async def timed() -> float:
        await run(stop_after_s=5.0)
        return asyncio.get_running_loop().time()

    assert 1005.0 == run_virtual(timed())


def test_cancelling_records_what_was_in_flight_as_cancelled(make_suite: Any, run_virtual: Any) -> None:
    suite = make_suite(Load(concurrency=3), prompts=12)
    run = Run(suite, [Answer(10.0)])
    run_virtual(run(cancel_after_s=15.0))
    assert {None: 3, "cancelled": 3} == {
        kind: sum(one.error_kind == kind for one in run.attempts) for kind in (None, "cancelled")
    }


def test_stopping_sends_nothing_of_what_waits_for_the_cap(make_suite: Any, run_virtual: Any) -> None:
    suite = make_suite(Load(arrival="constant", rate_per_s=10.0), prompts=100, quota=Quota(requests_per_minute=60))
    run = Run(suite, [Answer(after_s=0.1)])
    run_virtual(run(stop_after_s=5.5))
    assert 6 == len(run.attempts)
    assert all(one.ok for one in run.attempts)


def test_stopping_ends_the_retries(make_suite: Any, run_virtual: Any) -> None:
    suite = make_suite(Load(concurrency=1), prompts=1, retries=Retries(max_attempts=20))
    run = Run(suite, [Answer(10.0, 429)])
    run_virtual(run(stop_after_s=5.0))
    assert 1 == len(run.attempts)


def test_a_stop_ends_the_backoff(make_suite: Any, run_virtual: Any) -> None:
    retries = Retries(max_attempts=2, cap_s=HOUR_S)
    run = Run(make_suite(Load(concurrency=1), prompts=1, retries=retries), [Answer(1.0, 429, retry_after="600")])

    async def timed() -> float:
        await run(stop_after_s=5.0)
        return asyncio.get_running_loop().time()

    assert 1005.0 == run_virtual(timed())
    assert 1 == len(run.attempts)


def test_a_cap_on_requests_in_flight_holds_back_and_counts(make_suite: Any, run_virtual: Any) -> None:
    suite = make_suite(Load(arrival="constant", rate_per_s=10.0, max_in_flight=3), prompts=12)
    run = Run(suite, [Answer(after_s=1.0)])
    run_virtual(run())
    assert 3 == run.client.most_in_flight
    assert [0.1 * k for k in range(12)] == pytest.approx(sorted(seconds(one.due_ns) for one in run.attempts))
    held = run.channels["t0"].in_flight_limit.waits
    late = [(one.sent_ns or 0) - one.due_ns for one in run.attempts]
    assert (sum(each > 0 for each in late), max(late)) == (held.requests, pytest.approx(held.longest_ns))
    assert 9 == held.requests


def test_every_target_has_room_of_its_own(make_suite: Any, run_virtual: Any) -> None:
    suite = make_suite(Load(arrival="constant", rate_per_s=10.0, max_in_flight=3), prompts=3, targets=2)
    run = Run(suite, [Answer(after_s=1.0)])
    run_virtual(run())
    assert all(one.sent_ns == one.due_ns for one in run.attempts)
    assert [0, 0] == [channel.in_flight_limit.waits.requests for channel in run.channels.values()]


def test_stopping_sends_nothing_of_what_was_held_back(make_suite: Any, run_virtual: Any) -> None:
    suite = make_suite(Load(arrival="constant", rate_per_s=10.0, max_in_flight=2), prompts=100)
    run = Run(suite, [Answer(after_s=10.0)])
    run_virtual(run(stop_after_s=5.0))
    assert 2 == len(run.attempts)
    held = run.channels["t0"].in_flight_limit.waits
    assert (48, pytest.approx(9.8e9)) == (held.requests, held.longest_ns)


def test_a_retry_waits_as_long_as_the_service_asks(make_suite: Any, run_virtual: Any) -> None:
    suite = make_suite(Load(concurrency=1), prompts=1, retries=Retries(max_attempts=3, base_s=0.1, cap_s=8.0))
    run = Run(suite, [Answer(1.0, 429, retry_after="5"), Answer(1.0, 429, retry_after="3600"), Answer(1.0)])
    run_virtual(run())
    gaps = [(b.due_ns - (a.done_ns or 0)) / 1e9 for a, b in zip(run.attempts, run.attempts[1:], strict=False)]
    assert [5.0, 8.0] == pytest.approx(gaps)


def test_the_token_budget_shows_as_queue_delay(make_suite: Any, run_virtual: Any) -> None:
    suite = make_suite(Load(arrival="constant", rate_per_s=1.0), prompts=3, quota=Quota(tokens_per_minute=1100))
    run = Run(suite, [Answer(after_s=2.5)])
    run_virtual(run())
    assert [0.0, 2.5, 5.0] == [seconds(one.sent_ns) for one in run.attempts]
    assert [0.0, 1.0, 2.0] == [seconds(one.due_ns) for one in run.attempts]


def test_only_the_asked_share_of_the_answers_is_stored_and_always_the_same(make_suite: Any, run_virtual: Any) -> None:
    suite = make_suite(Load(concurrency=10, store_text=0.25), prompts=200)
    kept = []
    for _ in range(2):
        run = Run(suite, [Answer(after_s=0.1)])
        run_virtual(run())
        kept.append({one.request_id for one in run.attempts if one.text is not None})
    assert kept[0] == kept[1]
    assert 30 <= len(kept[0]) <= 70


def test_what_a_server_says_of_an_error_is_not_stored_if_no_text_is(make_suite: Any, run_virtual: Any) -> None:
    run = Run(make_suite(Load(concurrency=1, store_text=0.0), prompts=1), [Answer(status=429)])
    run_virtual(run())
    [attempt] = run.attempts
    assert (NOT_STORED, "ThrottlingException", 429) == (
        attempt.error_message,
        attempt.error_code,
        attempt.http_status,
    )


def test_errors_are_redacted_before_they_are_recorded(make_suite: Any, run_virtual: Any) -> None:
    run = Run(make_suite(Load(concurrency=1, redact=("Throttl", "HTTP")), prompts=1), [Answer(status=429)])
    run_virtual(run())
    [attempt] = run.attempts
    assert "[redacted]ingException" == attempt.error_code
    assert "HTTP" not in attempt.error_message


@pytest.mark.parametrize("load", [Load(concurrency=1, redact=("slow",)), Load(concurrency=1, store_text=0.0)])
def test_a_private_error_is_private_in_the_reason_of_a_stop_as_well(
    make_suite: Any, run_virtual: Any, load: Load
) -> None:
    refused = Answer(status=401)
    refused.headers = {}
    run = Run(make_suite(load, prompts=1), [refused])
    run_virtual(run())
    assert run.stop.reason is not None
    assert "the credentials failed" in run.stop.reason.what
    assert "slow" not in run.stop.reason.what


def test_a_stop_ends_an_open_load_that_is_far_behind_its_schedule(make_suite: Any, run_virtual: Any) -> None:
    suite = make_suite(Load(arrival="constant", rate_per_s=1.0, burst=5000, requests=5000))
    run = Run(suite, [Answer()])
    run_virtual(run(stop_after_s=0.0))
    assert len(run.attempts) < 200


def test_requests_that_tokens_hold_back_leave_at_the_permitted_rate_when_the_tokens_come_free(
    make_suite: Any, run_virtual: Any
) -> None:
    quota = Quota(requests_per_minute=60, tokens_per_minute=5 * 1025)
    suite = make_suite(Load(arrival="constant", rate_per_s=10.0), prompts=10, quota=quota)
    run = Run(suite, [*(Answer(after_s=30.0 - at) for at in range(5)), Answer(after_s=1.0)])
    run_virtual(run())
    sent_s = sorted(seconds(one.sent_ns) or 0.0 for one in run.attempts)
    assert [0.0, 1.0, 2.0, 3.0, 4.0, 30.0, 31.0, 32.0, 33.0, 34.0] == pytest.approx(sent_s, abs=0.1)
    assert all(later - earlier >= 1.0 for earlier, later in pairwise(sent_s))
