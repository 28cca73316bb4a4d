import asyncio
import time

from harness.load.lag import PERIOD_NS, LagMonitor


async def test_a_blocked_loop_shows_as_lag() -> None:
    lag = LagMonitor()
    async with asyncio.TaskGroup() as tasks:
        watch = tasks.create_task(lag.run())
        await asyncio.sleep(0)
        time.sleep(10 * PERIOD_NS / 1e9)  # noqa: ASYNC251 - blocking the loop is the point
        await asyncio.sleep(0.001)
        watch.cancel()
    assert 9 * PERIOD_NS <= lag.result().max_ns


async def test_a_stall_weighs_as_much_as_it_lasted() -> None:
    """One stall of fifty periods among fifty quiet ones: half of the time was bad, so the median must say so."""
    lag = LagMonitor()
    async with asyncio.TaskGroup() as tasks:
        watch = tasks.create_task(lag.run())
        await asyncio.sleep(0)
        time.sleep(50 * PERIOD_NS / 1e9)  # noqa: ASYNC251 - blocking the loop is the point
        await asyncio.sleep(0.001)
        watch.cancel()
    result = lag.result()
    assert 48 <= result.samples
    assert 20 * PERIOD_NS <= result.p50_ns
    assert 48 * PERIOD_NS <= result.p99_ns


def test_before_the_first_sample_there_is_no_lag() -> None:
    result = LagMonitor().result()
    assert (0, 0, 0) == (result.samples, result.p99_ns, result.max_ns)
