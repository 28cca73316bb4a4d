"""Sample answers out of runs that the store wrote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.analysis.summary.samples import MOST_PER_TARGET, load_samples
from harness.store.records import Score


def score(request_id: str, passed: bool | None, reason: str = "", scorer: str = "exact") -> Score:
    value = None if passed is None else float(passed)
    return Score(request_id=request_id, scorer=scorer, value=value, passed=passed, reason=reason)


def test_answers_that_did_not_pass_come_first(
    make_suite: Callable[..., Any], make_attempt: Callable[..., Any], write_run: Callable[..., Any]
) -> None:
    attempts = [make_attempt(f"00000{at}-00", text=f"answer {at}") for at in range(3)]
    scores = [score("000000-00", True), score("000001-00", None, "scorer broke"), score("000002-00", False, "wrong")]
    samples = load_samples(write_run(make_suite(), attempts, scores))
    assert [(False, "answer 2", "wrong"), (None, "answer 1", "scorer broke"), (True, "answer 0", "")] == [
        (each.passed, each.answer, each.reason) for each in samples
    ]


def test_one_check_that_did_not_pass_decides_and_gives_the_reason(
    make_suite: Callable[..., Any], make_attempt: Callable[..., Any], write_run: Callable[..., Any]
) -> None:
    scores = [score("000000-00", True, "fine"), score("000000-00", False, "too long", "regex")]
    (sample,) = load_samples(write_run(make_suite(), [make_attempt("000000-00", text="x")], scores))
    assert (False, "too long") == (sample.passed, sample.reason)


def test_a_target_shows_a_few_answers_only(
    make_suite: Callable[..., Any], make_attempt: Callable[..., Any], write_run: Callable[..., Any]
) -> None:
    attempts = [make_attempt(f"{at:06d}-00", text="x") for at in range(3 * MOST_PER_TARGET)]
    run = write_run(make_suite(), attempts, [score(each.request_id, False) for each in attempts])
    assert MOST_PER_TARGET == len(load_samples(run))


def test_failed_requests_and_warmup_are_no_answers(
    make_suite: Callable[..., Any], make_attempt: Callable[..., Any], write_run: Callable[..., Any]
) -> None:
    failed = make_attempt("000000-00", ok=False, error_kind="throttled", text=None)
    warm = make_attempt("000001-00", phase="warmup", text="x")
    run = write_run(make_suite(), [failed, warm], [score("000000-00", False), score("000001-00", True)])
    assert [] == load_samples(run)
