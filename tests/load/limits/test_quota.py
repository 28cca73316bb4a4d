"""The permits of `requests_per_minute` in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from harness import clock
from harness.load.limits.quota import Admission, make_throttler
from harness.load.stop import INTERRUPTED, Stop


def admission(per_minute: float | None, stop: Stop | None = None) -> Admission:
    return Admission(requests_per_minute=per_minute, budget=None, stop=stop or Stop())


@pytest.mark.parametrize("per_minute", [1.0, 30.0, 60.0, 90.0, 300.0, 1000.0, 10_000.0])
def test_the_window_holds_exactly_the_cap(per_minute: float) -> None:
    throttler = make_throttler(per_minute)
    assert per_minute == pytest.approx(throttler.rate_limit / throttler.period * 60)


def test_no_quota_lets_everything_through_at_once(run_virtual: Any) -> None:
    async def admit_many() -> float:
        unlimited, started_s = admission(None), asyncio.get_running_loop().time()
        for _ in range(1000):
            assert await unlimited.admit(10**9) is None
        return asyncio.get_running_loop().time() - started_s

    assert run_virtual(admit_many()) == 0.0


def test_no_window_is_sent_more_than_the_cap(run_virtual: Any) -> None:
    sent: list[float] = []

    async def send_many() -> None:
        quota = admission(120)
        for _ in range(10):
            await quota.admit(0)
            sent.append(clock.now_ns() / 1e9)

    run_virtual(send_many())
    assert all(later - sent[at] >= 1.0 for at, later in enumerate(sent[2:]))
    assert sent[-1] - sent[0] < 5.0


def test_who_came_first_is_sent_first(run_virtual: Any) -> None:
    sent: list[int] = []

    async def send(number: int, quota: Admission) -> None:
        await quota.admit(0)
        sent.append(number)

    async def send_many() -> None:
        quota = admission(120)
        async with asyncio.TaskGroup() as tasks:
            for number in range(40):
                tasks.create_task(send(number, quota))

    run_virtual(send_many())
    assert list(range(40)) == sent


def test_a_stop_lets_everyone_who_waits_go_at_once(run_virtual: Any) -> None:
    async def stop_while_waiting() -> float:
        stop, loop = Stop(), asyncio.get_running_loop()
        quota, started_s = admission(1, stop), loop.time()
        loop.call_later(5.0, stop.request, INTERRUPTED)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(10):
                tasks.create_task(quota.admit(0))
        return loop.time() - started_s

    assert 5.0 == pytest.approx(run_virtual(stop_while_waiting()))
