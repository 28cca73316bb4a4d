"""The token budget in virtual time: Bedrock's own example, the order of the queue, and what a stop ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.catalog.target import Options, resolve_target
from harness.endpoints.reply import Reply
from harness.load.limits.quota import Admission, TokenBudget, budget_mistakes, make_admission
from harness.load.reservation import output_burndown
from harness.load.stop import INTERRUPTED, Stop
from harness.suite.suite import Load, Message, Prompt, Quota, Suite


def reply(**changes: Any) -> Reply:
    return Reply(**changes)


EXAMPLE = reply(http_status=200, input_tokens=3000, cache_write_tokens=1000, output_tokens=1000)


def admission(*, per_minute: float = 60_000, stop: Stop | None = None) -> Admission:
    budget = TokenBudget(per_minute=per_minute, burndown=5)
    return Admission(requests_per_minute=None, budget=budget, stop=stop or Stop())


def taken_from(quota: Admission) -> float:
    assert quota.budget is not None
    return quota.budget.taken


@pytest.mark.parametrize("max_tokens", [32_000, 1250])
def test_the_documented_example_reserves_by_max_tokens_and_settles_at_nine_thousand(
    run_virtual: Any, max_tokens: int
) -> None:
    async def admit() -> tuple[float, float]:
        quota = admission()
        taken = await quota.admit(4000 + max_tokens)
        reserved = taken_from(quota)
        quota.settle(taken, EXAMPLE)
        return reserved, taken_from(quota)

    assert (4000 + max_tokens, 9000) == run_virtual(admit())


def test_what_was_not_used_lets_the_next_one_in_at_once(run_virtual: Any) -> None:
    async def second_waits() -> float:
        quota = admission()
        first = await quota.admit(40_000)
        started_s = asyncio.get_running_loop().time()
        asyncio.get_running_loop().call_later(7.0, quota.settle, first, EXAMPLE)
        await quota.admit(40_000)
        return asyncio.get_running_loop().time() - started_s

    assert 7.0 == pytest.approx(run_virtual(second_waits()))


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (reply(http_status=429, error_kind="throttled"), 0),
        (reply(error_kind="connection"), 0),
        (reply(error_kind="total_timeout"), 40_000),
        (reply(http_status=200, error_kind="stream_truncated"), 40_000),
    ],
)
def test_a_refusal_costs_nothing_and_a_cut_answer_keeps_its_reservation(
    run_virtual: Any, answer: Reply, kept: int
) -> None:
    async def settle() -> float:
        quota = admission()
        quota.settle(await quota.admit(40_000), answer)
        return taken_from(quota)

    assert kept == run_virtual(settle())


def test_who_came_first_is_admitted_first_even_when_a_later_one_is_smaller(run_virtual: Any) -> None:
    admitted: list[int] = []

    async def ask(quota: Admission, tokens: int) -> None:
        await quota.admit(tokens)
        admitted.append(tokens)

    async def send_many() -> None:
        quota = admission()
        async with asyncio.TaskGroup() as tasks:
            for tokens in (50_000, 50_000, 5_000):
                tasks.create_task(ask(quota, tokens))

    run_virtual(send_many())
    assert [50_000, 50_000, 5_000] == admitted


def test_a_stop_ends_the_wait_of_everyone(run_virtual: Any) -> None:
    async def stop_while_waiting() -> tuple[float, list[object]]:
        stop, loop = Stop(), asyncio.get_running_loop()
        quota = admission(stop=stop)
        await quota.admit(60_000)
        started_s = loop.time()
        loop.call_later(5.0, stop.request, INTERRUPTED)
        admitted = await asyncio.gather(*(quota.admit(60_000) for _ in range(10)))
        return loop.time() - started_s, admitted

    waited_s, admitted = run_virtual(stop_while_waiting())
    assert (pytest.approx(5.0), [None] * 10) == (waited_s, admitted)


@settings(max_examples=60)
@given(jobs=st.lists(st.tuples(st.integers(1, 1000), st.floats(0, 90), st.floats(0, 1)), min_size=1, max_size=25))
def test_no_minute_takes_more_than_the_budget(jobs: list[tuple[int, float, float]], run_virtual: Any) -> None:
    """Settled at no more than reserved, as mantle does it; jobs: tokens, how long they last, which share is used."""
    spans: list[tuple[float, float]] = []

    async def send(quota: Admission, at: int) -> None:
        amount, lasts_s, share = jobs[at]
        taken = await quota.admit(amount)
        assert taken is not None
        spans.append((asyncio.get_running_loop().time(), int(amount * share)))
        await asyncio.sleep(lasts_s)
        quota.settle(taken, reply(input_tokens=int(amount * share), output_tokens=0))

    async def send_all() -> None:
        quota = admission(per_minute=1000)
        async with asyncio.TaskGroup() as tasks:
            for at in range(len(jobs)):
                tasks.create_task(send(quota, at))

    run_virtual(send_all())
    for start_s, _ in spans:
        assert 1000 >= sum(used for at_s, used in spans if start_s <= at_s < start_s + 59.999)


def make_suite(*max_tokens: int, quota: Quota, api: str = "converse") -> Suite:
    target = resolve_target(model="claude-sonnet-4-5", api=api, client="aioboto3")  # type: ignore[arg-type]
    asked = tuple(
        Prompt(id=f"p{at}", messages=(Message(role="user", content="word" * 100),), options=Options(max_tokens=most))
        for at, most in enumerate(max_tokens)
    )
    return Suite(name="s", digest="", endpoint="aws", targets=(target,), prompts=asked, load=Load(), quota=quota)


def test_a_prompt_that_the_budget_never_admits_is_a_mistake_of_that_prompt() -> None:
    [found] = budget_mistakes(make_suite(100, 1000, quota=Quota(tokens_per_minute=600)))
    assert ("prompts", 1) == found.path
    assert (
        "about 1,100 tokens (claude-sonnet-4-5/global/converse), more than quota.tokens_per_minute allows (600)"
        in found.message
    )


def test_without_a_budget_nothing_is_held_back() -> None:
    suite = make_suite(10**9, quota=Quota())
    assert [] == list(budget_mistakes(suite))
    assert None is make_admission(suite.quota, suite.targets[0], Stop()).budget


def test_mantle_is_charged_for_input_alone() -> None:
    runtime, mantle = (make_suite(1, quota=Quota(), api=api).targets[0] for api in ("converse", "mantle"))
    assert (5.0, 0.0) == (output_burndown(runtime), output_burndown(mantle))
