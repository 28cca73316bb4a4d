"""What the client notices of itself."""

import asyncio
import gc
import time

import pytest

from harness import clock
from harness.load.limits.in_flight import Connections
from harness.load.watch import PERIOD_NS, SECOND_NS, Watch


async def test_a_blocked_loop_shows_as_lag() -> None:
    watching = Watch()
    async with asyncio.TaskGroup() as tasks:
        watch = tasks.create_task(watching.run())
        await asyncio.sleep(0)
        time.sleep(10 * PERIOD_NS / 1e9)  # noqa: ASYNC251 - blocking the loop is the point
        await asyncio.sleep(0.001)
        watch.cancel()
    assert 9 * PERIOD_NS <= watching.result().lag_max_ns


async def test_a_stall_weighs_as_much_as_it_lasted() -> None:
    """One stall of fifty periods among fifty quiet ones: half of the time was bad, so the median must say so."""
    watching = Watch()
    async with asyncio.TaskGroup() as tasks:
        watch = tasks.create_task(watching.run())
        await asyncio.sleep(0)
        time.sleep(50 * PERIOD_NS / 1e9)  # noqa: ASYNC251 - blocking the loop is the point
        await asyncio.sleep(0.001)
        watch.cancel()
    result = watching.result()
    assert 48 <= result.lag_samples
    assert 20 * PERIOD_NS <= result.lag_p50_ns
    assert 48 * PERIOD_NS <= result.lag_p99_ns


def test_before_the_first_sample_there_is_no_lag() -> None:
    result = Watch().result()
    assert (0, 0, 0) == (result.lag_samples, result.lag_p99_ns, result.lag_max_ns)


async def test_a_collection_of_garbage_is_counted_while_the_watch_runs() -> None:
    watching = Watch()
    async with asyncio.TaskGroup() as tasks:
        watch = tasks.create_task(watching.run())
        await asyncio.sleep(0)
        gc.collect()
        watch.cancel()
    gc.collect()
    result = watching.result()
    assert 1 == result.gc_pauses
    assert 0 < result.gc_longest_ns == result.gc_total_ns


def test_exchanges_beyond_the_pool_are_counted_as_waiting() -> None:
    pool = Connections(2)
    with pool, pool, pool:
        pass
    with pool:
        pass
    result = Watch([pool]).result(worker=3)
    assert (3, 2, 3, 1) == (result.worker, result.connections, result.connections_most, result.connection_waits)


def test_a_sleep_is_told_from_a_clock_that_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch()
    slept_ns, utc_ahead_ns = clock.slept_ns(), clock.utc_ahead_ns()
    monkeypatch.setattr(clock, "slept_ns", lambda: slept_ns + 300 * SECOND_NS)
    monkeypatch.setattr(clock, "utc_ahead_ns", lambda: utc_ahead_ns + (300 - 90) * SECOND_NS)
    health = watch.result()
    assert (300, -90) == (round(health.slept_ns / SECOND_NS), round(health.clock_set_ns / SECOND_NS))


def test_a_machine_that_stays_awake_has_not_slept() -> None:
    health = Watch().result()
    assert health.slept_ns < SECOND_NS
    assert abs(health.clock_set_ns) < SECOND_NS
