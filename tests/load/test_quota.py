import asyncio
from contextlib import nullcontext
from typing import Any

import pytest

from harness.load.limits import Cap, make_cap
from harness.load.stop import INTERRUPTED, Stop
from harness.suite.suite import Quota


@pytest.mark.parametrize("per_minute", [1.0, 30.0, 60.0, 90.0, 300.0, 1000.0, 10_000.0])
def test_the_window_holds_exactly_the_cap(per_minute: float) -> None:
    cap = make_cap(Quota(requests_per_minute=per_minute), Stop())
    assert isinstance(cap, Cap)
    assert per_minute == pytest.approx(cap.throttler.rate_limit / cap.throttler.period * 60)


def test_no_cap_lets_everything_through() -> None:
    assert isinstance(make_cap(Quota(), Stop()), nullcontext)


def test_no_window_is_sent_more_than_the_cap(run_virtual: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asyncio_throttle.throttler.time.monotonic", lambda: clock.now_ns() / 1e9)
    sent: list[float] = []

    async def send_many() -> None:
        cap = make_cap(Quota(requests_per_minute=120), Stop())
        for _ in range(10):
            async with cap:
                sent.append(clock.now_ns() / 1e9)

    run_virtual(send_many())
    assert all(later - sent[at] >= 1.0 for at, later in enumerate(sent[2:]))
    assert sent[-1] - sent[0] < 5.0


def test_who_came_first_is_sent_first(run_virtual: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asyncio_throttle.throttler.time.monotonic", lambda: clock.now_ns() / 1e9)
    sent: list[int] = []

    async def send(number: int, cap: Any) -> None:
        async with cap:
            sent.append(number)

    async def send_many() -> None:
        cap = make_cap(Quota(requests_per_minute=120), Stop())
        async with asyncio.TaskGroup() as tasks:
            for number in range(40):
                tasks.create_task(send(number, cap))

    run_virtual(send_many())
    assert list(range(40)) == sent


def test_a_stop_lets_everyone_who_waits_go_at_once(
    run_virtual: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asyncio_throttle.throttler.time.monotonic", lambda: clock.now_ns() / 1e9)

    async def wait(cap: Any) -> None:
        async with cap:
            return

    async def stop_while_waiting() -> float:
        stop, loop = Stop(), asyncio.get_running_loop()
        cap, started_s = make_cap(Quota(requests_per_minute=1), stop), loop.time()
        loop.call_later(5.0, stop.ask, INTERRUPTED)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(10):
                tasks.create_task(wait(cap))
        return loop.time() - started_s

    assert 5.0 == pytest.approx(run_virtual(stop_while_waiting()))
