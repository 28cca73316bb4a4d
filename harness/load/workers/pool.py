"""The workers of a load that several processes share: started, sent off together, counted together, ended together."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import fields

from harness.clock import now_ns
from harness.errors import HarnessError, RunInvalid, first_leaf
from harness.load.recorder import Progress, Tally
from harness.load.session import Job, ask_at_budget
from harness.load.shards import Shard
from harness.load.stop import Stop
from harness.load.workers.messages import (
    STOP,
    Broke,
    Counted,
    Ended,
    Opening,
    Ready,
    Report,
    Sending,
    decode_report,
    pack,
)
from harness.store.client_health import ClientHealth
from harness.store.run_folder import RunFolder
from harness.suite.suite import Suite

HEAD_START_NS = 200_000_000
"""Between the order to send and the first due time, so that every worker has read it by then."""
PATIENCE_S = 10.0
"""For a worker that was told to stop at once, to cancel and journal what it has."""
REPORT_LIMIT = 1 << 24


class WorkerPool:
    """Workers whose clients are open."""

    def __init__(self, workers: Sequence[tuple[Shard, Process]]) -> None:
        self._workers = workers

    async def send(self, job: Job, folder: RunFolder, progress: Progress, stop: Stop) -> list[ClientHealth]:
        """Send the whole plan of the suite that the clients were opened for, each worker its part into a journal of its
        own; what each of them suffered.

        A stop is passed on to all. RunInvalid: a worker ended before its part did; the others are stopped, and what
        the journals hold is kept.
        """
        start_ns = now_ns() + HEAD_START_NS
        counts: list[dict[str, Tally]] = [{} for _ in self._workers]
        for shard, process in self._workers:
            sending = Sending(
                run_id=job.run_id,
                seed=job.seed,
                origin_ns=job.origin_ns,
                start_ns=start_ns,
                journal=folder.journal_path(shard.index),
            )
            await _order(process, pack(sending))

        async def follow(shard: Shard, process: Process) -> ClientHealth:
            while True:
                match await _next_report(shard, process):
                    case Counted(tallies=tallies):
                        counts[shard.index] = tallies
                        _add_up(progress, counts)
                        ask_at_budget(job.suite.budget_usd, progress, stop)
                    case Ended(health=health, reason=reason):
                        if reason is not None:
                            stop.ask(reason)
                        return health

        try:
            async with asyncio.TaskGroup() as tasks:
                following = [tasks.create_task(follow(*worker)) for worker in self._workers]
                passing_on = tasks.create_task(self._pass_on(stop))
                health = [await each for each in following]
                passing_on.cancel()
        except BaseExceptionGroup as group:
            raise first_leaf(group) from None
        return health

    async def _pass_on(self, stop: Stop) -> None:
        await stop.wait()
        for _, process in self._workers:
            await _order(process, STOP)


@asynccontextmanager
async def open_worker_pool(suite: Suite, url: str, shards: Sequence[Shard]) -> AsyncIterator[WorkerPool]:
    """A worker for each part, its clients open; ended on leaving. HarnessError: what kept a worker from opening them.

    A worker ends by itself when this process does, whatever happens to it.
    """
    workers: list[tuple[Shard, Process]] = []
    try:
        for shard in shards:
            command = (sys.executable, "-P", "-m", "harness.load.workers.worker")
            process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, limit=REPORT_LIMIT)
            workers.append((shard, process))
            await _order(process, pack(Opening(suite=shard.part_of(suite), url=url, shard=shard)))
        for shard, process in workers:
            assert isinstance(await _next_report(shard, process), Ready)
        yield WorkerPool(workers)
    finally:
        for _, process in workers:
            assert process.stdin is not None
            process.stdin.close()
        async with asyncio.TaskGroup() as ending:  # one that hangs is waited for once, however many do
            for _, process in workers:
                ending.create_task(_end(process))


async def _end(process: Process) -> None:
    """Wait for a worker whose stdin is closed; one that does not end is killed."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await process.communicate()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _order(process: Process, order: bytes) -> None:
    """Write down a worker's stdin. One that is gone is told of by its missing report."""
    assert process.stdin is not None
    with suppress(ConnectionError):
        process.stdin.write(order)
        await process.stdin.drain()


async def _next_report(shard: Shard, process: Process) -> Report:
    """The next line of a worker. HarnessError: it broke, or is gone."""
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line.endswith(b"\n"):
        code = await process.wait()
        raise RunInvalid(f"worker {shard.index} ended before its part of the load did (exit code {code})")
    report: Report = decode_report(line)
    if isinstance(report, Broke):
        error = HarnessError(report.message)
        error.exit_code = report.exit_code
        raise error
    return report


def _add_up(progress: Progress, counts: Sequence[dict[str, Tally]]) -> None:
    """Make the run's tallies the sums of the workers'."""
    for name, tally in progress.tallies.items():
        for field in fields(Tally):
            setattr(tally, field.name, sum(getattr(each[name], field.name) for each in counts if name in each))
