from contextlib import nullcontext
from typing import Any

import pytest
from asyncio_throttle import Throttler

from harness.load.quota import make_cap
from harness.suite.schema import Quota


@pytest.mark.parametrize("per_minute", [1.0, 30.0, 60.0, 90.0, 300.0, 1000.0, 10_000.0])
def test_the_window_holds_exactly_the_cap(per_minute: float) -> None:
    cap = make_cap(Quota(requests_per_minute=per_minute))
    assert isinstance(cap, Throttler)
    assert per_minute == pytest.approx(cap.rate_limit / cap.period * 60)


def test_no_cap_lets_everything_through() -> None:
    assert isinstance(make_cap(Quota()), nullcontext)


def test_no_window_is_sent_more_than_the_cap(run_virtual: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asyncio_throttle.throttler.time.monotonic", lambda: clock.now_ns() / 1e9)
    sent: list[float] = []

    async def send_many() -> None:
        cap = make_cap(Quota(requests_per_minute=120))
        for _ in range(10):
            async with cap:
                sent.append(clock.now_ns() / 1e9)

    run_virtual(send_many())
    assert all(later - sent[at] >= 1.0 for at, later in enumerate(sent[2:]))
    assert sent[-1] - sent[0] < 5.0
