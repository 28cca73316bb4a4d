"""The budget: no order of reservations and settlements spends more than it, in one process or in several."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.endpoints.base import Tape
from harness.load.limits.budget import NANO, Budget, charge, reservations
from harness.load.stop import Stop
from harness.load.workers.shares import Share, Shares
from harness.suite.suite import Load

AMOUNTS = st.integers(1, 40)
JOBS = st.lists(st.tuples(AMOUNTS, st.floats(0, 1), st.integers(0, 5)), max_size=40)
"""What each attempt reserves, which share of it is charged, how long it takes."""


@settings(deadline=None, max_examples=100)
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


@settings(deadline=None, max_examples=100)
@given(limit=st.integers(1, 400), jobs=st.lists(JOBS, min_size=2, max_size=4))
def test_workers_never_spend_more_than_the_budget_together_and_none_waits_for_ever(
    limit: int, jobs: list[list[tuple[int, float, int]]], run_virtual: Any
) -> None:
    shares = Shares(Budget(limit), len(jobs))
    workers, stop = [Share(amount) for amount in shares.first], Stop()

    async def work(share: Share, todo: list[tuple[int, float, int]]) -> None:
        async with asyncio.TaskGroup() as tasks:
            for amount, part, takes_s in todo:
                if not (share.budget.try_reserve(amount) or await share.budget.reserve(amount, stop)):
                    return
                tasks.create_task(settle(share, amount, part, takes_s))

    async def settle(share: Share, amount: int, part: float, takes_s: int) -> None:
        assert sum(each.budget.spent + each.budget.reserved for each in workers) <= limit
        await asyncio.sleep(takes_s)
        share.budget.settle(amount, int(amount * part))

    async def report() -> None:
        while True:
            await asyncio.sleep(0.1)
            for at, each in enumerate(workers):
                for other, order in list(shares.update(at, each.report())):
                    workers[other].obey(order)
            if (why := shares.why_spent()) is not None:
                stop.request(why)

    async def run() -> None:
        async with asyncio.timeout(3600):
            reporting = asyncio.create_task(report())
            async with asyncio.TaskGroup() as tasks:
                for share, todo in zip(workers, jobs, strict=True):
                    tasks.create_task(work(share, todo))
            reporting.cancel()

    run_virtual(run())
    assert sum(each.budget.spent for each in workers) <= limit


@pytest.mark.parametrize(
    ("sent", "status", "cost_usd", "charged"),
    [
        (None, None, None, 0),
        (True, None, None, 7),
        (True, 200, None, 7),
        (True, 429, None, 0),
        (True, 200, 1e-9, 1),
        (True, 200, 3e6, 3_000_000 * NANO),
    ],
)
def test_an_attempt_is_charged_what_it_may_have_cost(
    sent: bool | None, status: int | None, cost_usd: float | None, charged: int
) -> None:
    tape = Tape()
    if sent:
        tape.mark_sent()
    if status is not None:
        tape.mark_head(status, {})
    assert charged == charge(tape, cost_usd, 7)


def test_without_a_budget_nothing_is_reserved(make_suite: Any) -> None:
    assert {} == reservations(make_suite(Load()))
