"""A worker on this machine that is gone."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

import pytest
import uvloop

from harness.errors import RunInvalid
from harness.load.plan import Part
from harness.load.workers.local import start_local_worker
from harness.load.workers.messages import StopOrder
from harness.suite.suite import Load, Suite
from tests.processes import descendants, is_running, wait_until


def test_an_order_to_a_worker_that_is_gone_is_dropped_and_its_next_report_tells(
    make_suite: Callable[..., Suite],
) -> None:
    async def lose_one() -> None:
        before = set(descendants(os.getpid()))
        worker = await start_local_worker("http://127.0.0.1:1", Part(suite=make_suite(Load())))
        await worker.next_report()
        (pid,) = set(descendants(os.getpid())) - before
        os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(wait_until, lambda: not is_running(pid))
        await worker.order(StopOrder())
        with pytest.raises(RunInvalid, match=r"worker 0 ended before .* \(exit code -9\)"):
            await worker.next_report()
        await worker.end()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as the command does
        runner.run(lose_one())
