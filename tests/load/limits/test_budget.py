"""The budget: no order of reservations and settlements spends more than it, in one process or in several."""

from __future__ import annotations

import asyncio
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.endpoints.base import Tape
from harness.load.limits.budget import NANO, Budget, charge, reservation, reservations, spent_usd, to_nano
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


def test_a_share_that_was_raised_for_an_attempt_is_not_lowered_before_the_attempt_has_it(run_virtual: Any) -> None:
    budget, stop = Budget(19, shared=True), Stop()

    async def run() -> None:
        waiting = asyncio.create_task(budget.reserve(38, stop))
        await asyncio.sleep(0)
        budget.grant(20)
        assert 1 == budget.give_back(11)
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
        counted = to_nano(spent_usd(connection, suite))
    assert (reservation(target, prompt, suite.prices) if charged == 7 else charged) == counted


def test_without_a_budget_nothing_is_reserved(make_suite: Any) -> None:
    assert {} == reservations(make_suite(Load()))
