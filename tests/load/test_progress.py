"""The running counts of a load: quantiles close to the exact ones, whatever process counted."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.load.progress import MESSAGE_CHARS, Histogram, Progress, Tally, sum_tallies
from harness.store.records import Attempt

MS = 1_000_000
DURATIONS = st.lists(st.integers(0, 10**12), min_size=1, max_size=200)


def histogram_of(durations_ns: list[int]) -> Histogram:
    histogram = Histogram()
    for each in durations_ns:
        histogram.add(each)
    return histogram


@given(durations_ns=DURATIONS, q=st.sampled_from([0.01, 0.5, 0.95, 1.0]))
@example(durations_ns=[135_671], q=0.5)
def test_a_quantile_is_the_nearest_rank_to_two_per_cent(durations_ns: list[int], q: float) -> None:
    rank = next(i for i in range(1, len(durations_ns) + 1) if i >= q * len(durations_ns))
    exact_s = sorted(durations_ns)[rank - 1] / 1e9
    assert histogram_of(durations_ns).quantile_s(q) == pytest.approx(exact_s, rel=0.016, abs=1e-6)


def test_no_durations_have_no_quantile() -> None:
    assert Histogram().quantile_s(0.5) is None


def test_a_request_that_left_early_was_not_late() -> None:
    assert 0.0 == histogram_of([-5 * MS]).quantile_s(0.5)


@given(first=DURATIONS, more=DURATIONS)
def test_what_came_since_a_copy_is_the_rest(first: list[int], more: list[int]) -> None:
    histogram = histogram_of(first)
    earlier = histogram.copy()
    histogram.include(histogram_of(more))
    assert histogram_of([*first, *more]) == histogram
    assert histogram_of(more) == histogram.since(earlier)


def attempt(**changes: object) -> Attempt:
    whole = {
        "run_id": "r", "request_id": "0-0", "attempt_id": "0-0-1", "try_no": 1, "target": "t", "base_model": "b",
        "model_id": "m", "routing": "us", "api": "converse", "client": "wire", "region": "us-east-1", "stream": True,
        "prompt_id": "p", "repeat": 0, "phase": "measure", "due_ns": 0, "sent_ns": 2 * MS, "first_ns": 300 * MS,
        "done_ns": 900 * MS, "ok": True, "output_tokens": 7, "cost_usd": 0.25,
    }  # fmt: skip
    return msgspec.convert(whole | changes, Attempt)


def count(*attempts: Attempt, first_due_ns: int = 0) -> Tally:
    progress = Progress(planned=None, tallies={"t": Tally()})
    for each in attempts:
        progress.count(each, first_due_ns)
    return progress.tallies["t"]


def ms(histogram: Histogram) -> float | None:
    median_s = histogram.quantile_s(0.5)
    return None if median_s is None else 1000 * median_s


def test_the_wait_is_the_ttft_and_without_streaming_the_whole_answer() -> None:
    assert ms(count(attempt()).wait) == pytest.approx(300, rel=0.02)
    assert ms(count(attempt(stream=False, first_ns=None)).wait) == pytest.approx(900, rel=0.02)


def test_the_wait_of_a_retried_request_counts_from_its_first_attempt() -> None:
    refused = attempt(ok=False, error_kind="throttled", first_ns=None, error_message="slow down")
    tally = count(refused, attempt(try_no=2, due_ns=200 * MS, sent_ns=210 * MS), first_due_ns=-100 * MS)
    assert ms(tally.wait) == pytest.approx(400, rel=0.02)
    assert (2, 1, 1) == (tally.attempts, tally.answered, tally.failed)
    assert ({"throttled": 1}, {"throttled": "slow down"}) == (tally.errors, tally.messages)
    assert [2, 10] == pytest.approx([1000 * (tally.late.quantile_s(q) or 0) for q in (0.5, 1.0)], rel=0.02)


def test_warm_up_costs_money_and_has_no_latency() -> None:
    tally = count(attempt(phase="warmup"))
    assert (1, 7, 0.25, 0, 0) == (
        tally.answered, tally.output_tokens, tally.cost_usd, tally.wait.count, tally.late.count
    )  # fmt: skip


def test_a_long_error_message_is_cut() -> None:
    tally = count(attempt(ok=False, error_kind="internal", error_message="x" * 1_000_000))
    assert MESSAGE_CHARS == len(tally.messages["internal"])


def test_a_sum_counts_everything_of_all_workers_even_after_a_report_as_json() -> None:
    one = count(attempt(), attempt(ok=False, error_kind="throttled", error_message="slow down", cost_usd=None))
    two = count(attempt(first_ns=600 * MS), attempt(ok=False, error_kind="throttled", error_message="other"))
    one.done, one.in_flight, two.done = 2, 3, 1
    total = sum_tallies(*(msgspec.json.decode(msgspec.json.encode(each), type=Tally) for each in (one, two)))
    expected = count(
        attempt(), attempt(ok=False, error_kind="throttled", error_message="slow down", cost_usd=None),
        attempt(first_ns=600 * MS), attempt(ok=False, error_kind="throttled", error_message="other"),
    )  # fmt: skip
    expected.done, expected.in_flight = 3, 3
    assert expected == total


def test_what_a_resumed_run_had_spent_before_counts() -> None:
    assert 0.75 == Progress(planned=None, tallies={"t": Tally(cost_usd=0.25)}, earlier_usd=0.5).cost_usd
