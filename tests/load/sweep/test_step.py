"""One step of a sweep, from its attempts."""

from __future__ import annotations

from typing import Any

import pytest

from harness.load.sweep.step import Objective, Trial
from harness.store.records import Attempt
from harness.suite.suite import Slo

MS = 1_000_000


def make_attempt(number: int, **changed: Any) -> Attempt:
    values: dict[str, Any] = {
        **dict.fromkeys(("run_id", "base_model", "model_id", "routing", "api", "client", "region"), "x"),
        "request_id": f"{number}",
        "attempt_id": f"{number}-1",
        "try_no": 1,
        "target": "t",
        "stream": True,
        "prompt_id": "p",
        "repeat": 0,
        "phase": "measure",
        "due_ns": 0,
        "sent_ns": MS,
        "first_ns": 200 * MS,
        "done_ns": 300 * MS,
        "ok": True,
    }
    return Attempt(**{**values, **changed})


def outcome_of(*attempts: Attempt) -> Any:
    trial = Trial(Objective(slo=Slo(ttft_s=1.0), share=0.5, requests=4))
    for attempt in attempts:
        trial.record(attempt)
    return trial.outcome(target="t", step=0, level=4.0)


def failed(number: int, kind: str) -> Attempt:
    return make_attempt(number, ok=False, error_kind=kind, first_ns=None, done_ns=2 * MS)


def test_quick_refusals_do_not_make_the_client_late() -> None:
    outcome = outcome_of(make_attempt(0), *(failed(number, "throttled") for number in range(1, 4)))
    assert (False, False, 3) == (outcome.client_limited, outcome.met, outcome.throttled)


def test_a_client_that_sends_late_is_distinguished_from_an_endpoint_that_is_slow() -> None:
    assert outcome_of(*(make_attempt(number, sent_ns=100 * MS) for number in range(4))).client_limited
    assert not outcome_of(*(make_attempt(number, first_ns=2000 * MS) for number in range(4))).client_limited


@pytest.mark.parametrize(
    ("kinds", "refused"),
    [
        (["access_denied"] * 3, True),
        (["connection", "validation", "connection"], True),
        (["throttled"] * 3, False),
        (["first_token_timeout"] * 3, True),
        (["access_denied", "access_denied", "unavailable"], False),
        (["access_denied"] * 2, False),
    ],
    ids=["all refused", "several reasons", "throttled", "never answered", "not for the load alone", "not lost"],
)
def test_a_step_is_refused_where_no_lower_load_helps(kinds: list[str], refused: bool) -> None:
    assert refused == outcome_of(*(failed(number, kind) for number, kind in enumerate(kinds))).refused


@pytest.mark.parametrize("changed", [{}, {"first_ns": 2000 * MS}, {"phase": "warmup"}], ids=["good", "slow", "warm-up"])
def test_one_answer_is_not_a_refusal(changed: dict[str, Any]) -> None:
    answered = make_attempt(0, **changed)
    assert not outcome_of(answered, *(failed(number, "access_denied") for number in range(1, 4))).refused
