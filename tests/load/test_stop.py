"""The fine timer on a real loop: it ends the wait that it was set for, and no other."""

from __future__ import annotations

import asyncio
import sys

import pytest
import uvloop

from harness.clock import now_ns
from harness.load.stop import Alarm

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="timerfd is Linux's")
HOUR_S = 3600.0


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def runner(request: pytest.FixtureRequest) -> asyncio.Runner:
    return asyncio.Runner(loop_factory=request.param)


async def wait(alarm: Alarm, at_ns: int, *, limit_s: float = HOUR_S) -> None:
    """Until the alarm, or the limit."""
    async with asyncio.timeout(limit_s) as end:
        alarm.set(at_ns, end)
        await asyncio.Event().wait()


def test_an_alarm_ends_a_wait_at_its_time(runner: asyncio.Runner) -> None:
    async def main() -> int:
        due_ns = now_ns() + 2_345_678
        with Alarm() as alarm:
            with pytest.raises(TimeoutError):
                await wait(alarm, due_ns)
            return now_ns() - due_ns

    with runner:
        assert 0 <= runner.run(main())


def test_an_alarm_leaves_alone_the_wait_that_it_was_cleared_for(runner: asyncio.Runner) -> None:
    async def main() -> bool:
        with Alarm() as alarm:
            async with asyncio.timeout(HOUR_S) as first:
                alarm.set(now_ns(), first)
                alarm.clear()
                with pytest.raises(TimeoutError):
                    await wait(alarm, now_ns() + 1_000_000)
            return first.expired()

    with runner:
        assert not runner.run(main())


def test_an_alarm_for_a_wait_that_has_just_expired_does_no_harm(runner: asyncio.Runner) -> None:
    failures: list[dict[str, object]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        with Alarm() as alarm:
            for _ in range(50):
                with pytest.raises(TimeoutError):
                    await wait(alarm, now_ns(), limit_s=0)

    with runner:
        runner.run(main())
    assert not failures
