"""The budget: no order of reservations and settlements spends more than it, in one process or in several."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.endpoints.base import Tape
from harness.load.limits.budget import NANO, Budget, charge, charged_usd, reservation, to_nano
from harness.load.stop import Stop
from harness.load.workers.shares import GiveBack, Grant, Share, ShareReport, Shares
from harness.suite.suite import Load

AMOUNTS = st.integers(1, 40)
JOBS = st.lists(st.tuples(AMOUNTS, st.floats(0, 1), st.integers(0, 5)), max_size=40)
"""What each attempt reserves, which share of it is charged, how long it takes."""


@settings(max_examples=100)
@given(limit=st.integers(1, 200), jobs=JOBS)
def test_no_order_of_attempts_spends_more_than_the_budget(
    limit: int, jobs: list[tuple[int, float, int]], run_virtual: Any
) -> None:
    budget, stop = Budget(limit), Stop()
    most, refused = 0, []

    async def attempt(amount: int, share: float, takes_s: int) -> None:
        nonlocal most
        if not (budget.try_reserve(amount) or await budget.reserve(amount, stop)):
            refused.append((amount, budget.spent))
            return
        most = max(most, budget.spent + budget.reserved)
        await asyncio.sleep(takes_s)
        budget.settle(amount, int(amount * share))

    async def run() -> None:
        async with asyncio.TaskGroup() as tasks:
            for job in jobs:
                tasks.create_task(attempt(*job))

    run_virtual(run())
    assert most <= limit
    assert budget.spent <= limit
    assert 0 == budget.reserved == budget.wanted
    assert all(spent + amount > limit for amount, spent in refused)


OVERDRAWN = st.lists(st.tuples(st.integers(0, 40), st.floats(0, 2), st.integers(0, 5)), max_size=40)
"""The same of attempts that may be free, or cost more than they reserve."""


@settings(max_examples=300)
@given(limit=st.integers(0, 400), jobs=st.lists(JOBS | OVERDRAWN, min_size=2, max_size=4), late=st.integers(0, 3))
@example(limit=30, jobs=[[(10, 2.0, 0), (8, 1.0, 0)], []], late=0)
def test_workers_never_spend_more_than_the_budget_together_and_none_waits_for_ever(
    limit: int, jobs: list[list[tuple[int, float, int]]], late: int, run_virtual: Any
) -> None:
    """Reports and orders arrive so many ticks late, and a worker ends once its attempts are over."""
    shares = Shares(Budget(limit), len(jobs))
    workers, stop = [Share(amount) for amount in shares.first], Stop()
    overdrawn = 0

    async def work(share: Share, todo: list[tuple[int, float, int]]) -> None:
        async with asyncio.TaskGroup() as tasks:
            for amount, part, takes_s in todo:
                if not (share.budget.try_reserve(amount) or await share.budget.reserve(amount, stop)):
                    return
                tasks.create_task(settle(share, amount, part, takes_s))

    async def settle(share: Share, amount: int, part: float, takes_s: int) -> None:
        nonlocal overdrawn
        assert sum(each.budget.spent + each.budget.reserved for each in workers) <= limit + overdrawn
        await asyncio.sleep(takes_s)
        overdrawn += max(0, int(amount * part) - amount)
        share.budget.settle(amount, int(amount * part))

    async def follow(working: list[asyncio.Task[None]]) -> None:
        reports = deque[list[tuple[int, ShareReport, bool]]]([[]] * late)
        orders = deque[list[tuple[int, Grant | GiveBack]]]([[]] * late)
        following = set(range(len(workers)))
        while following:
            await asyncio.sleep(0.1)
            reports.append([(at, each.report(), working[at].done()) for at, each in enumerate(workers)])
            orders.append([])
            for at, report, ended in reports.popleft():
                if at in following:
                    orders[-1].extend(shares.update(at, report))
                if ended and at in following:
                    shares.end(at)
                    following.remove(at)
                if (why := shares.why_spent()) is not None:
                    stop.request(why)
            for at, order in orders.popleft():
                if not working[at].done():
                    workers[at].obey(order)

    async def run() -> None:
        async with asyncio.timeout(3600), asyncio.TaskGroup() as tasks:
            working = [tasks.create_task(work(*each)) for each in zip(workers, jobs, strict=True)]
            tasks.create_task(follow(working))

    run_virtual(run())
    assert sum(each.budget.spent for each in workers) <= limit + overdrawn


def test_no_attempt_overtakes_one_that_waits(run_virtual: Any) -> None:
    budget, stop = Budget(10), Stop()

    async def twice() -> tuple[bool, bool]:
        return await budget.reserve(5, stop), budget.try_reserve(5)

    async def run() -> None:
        assert budget.try_reserve(10)
        first = asyncio.create_task(twice())
        await asyncio.sleep(0)
        second = asyncio.create_task(budget.reserve(5, stop))
        await asyncio.sleep(0)
        budget.settle(10, 0)
        assert (True, False) == await first
        assert await second

    run_virtual(run())


def test_a_share_that_was_raised_for_an_attempt_is_not_lowered_before_the_attempt_has_it(run_virtual: Any) -> None:
    budget, stop = Budget(19, shared=True), Stop()

    async def run() -> None:
        waiting = asyncio.create_task(budget.reserve(38, stop))
        await asyncio.sleep(0)
        budget.grant(20)
        budget.give_back(11)
        assert 38 == budget.limit
        assert await waiting
        assert 38 == budget.reserved

    run_virtual(run())


CHARGED = [
    (None, None, None, 0),
    (True, None, None, 7),
    (True, 200, None, 7),
    (True, 429, None, 0),
    (True, 200, 1e-9, 1),
    (True, 200, 3e6, 3_000_000 * NANO),
]
"""(sent, status, cost in USD, what an attempt counts of which 7 nanodollars were reserved)."""


@pytest.mark.parametrize(("sent", "status", "cost_usd", "charged"), CHARGED)
def test_an_attempt_is_charged_what_it_may_have_cost(
    sent: bool | None, status: int | None, cost_usd: float | None, charged: int
) -> None:
    tape = Tape()
    if sent:
        tape.mark_sent()
    if status is not None:
        tape.mark_head(status, {})
    assert charged == charge(tape, cost_usd, 7)


@pytest.mark.parametrize(("sent", "status", "cost_usd", "charged"), CHARGED)
def test_a_recorded_attempt_counts_as_it_was_charged(
    sent: bool | None, status: int | None, cost_usd: float | None, charged: int, make_suite: Any
) -> None:
    suite = make_suite(Load())
    target, prompt = suite.targets[0], suite.prompts[0]
    row = [target.name, prompt.id, cost_usd, status, 1 if sent else None]
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE attempts (target TEXT, prompt_id TEXT, cost_usd DOUBLE, http_status INT, sent_ns INT)"
        )
        connection.execute("INSERT INTO attempts VALUES (?, ?, ?, ?, ?)", row)
        counted = to_nano(charged_usd(connection, suite))
    assert (reservation(target, prompt, suite.prices) if charged == 7 else charged) == counted
