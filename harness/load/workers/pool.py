"""The worker processes that share a load: it is split among them, and they start, count and end together."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import fields

import msgspec

from harness import clock
from harness.errors import HarnessError, RunInvalid, first_leaf
from harness.load.limits import budget_mistakes
from harness.load.plan import Part
from harness.load.recorder import Progress, Tally, stop_at_budget
from harness.load.session import Job
from harness.load.stop import Stop
from harness.load.workers.worker import STOP, Broke, Counted, Ended, Ready, Report, decode_report, pack
from harness.store.client_health import ClientHealth
from harness.store.run_folder import RunFolder
from harness.suite.suite import Quota, Suite

HEAD_START_NS = 200_000_000
"""Between the order to send and the first due time, so that every worker has read it by then."""
PATIENCE_S = 10.0
"""For a worker that has to stop at once, to cancel and journal what it has."""
REPORT_LIMIT = 1 << 24


def split_suite(suite: Suite, workers: int) -> list[Part]:
    """One part a worker. HarnessError: fewer slots than workers, so that some would have nothing to do."""
    key = "concurrency" if suite.load.arrival == "closed" else "max_in_flight"
    slots = getattr(suite.load, key)
    if slots is not None and workers > slots:
        raise HarnessError(
            f"--workers {workers}: the load has {slots} slots (load.{key}), and every worker needs one of its own; ask "
            "for fewer workers"
        )
    parts = [_part(suite, index, workers) for index in range(workers)]
    if workers > 1 and any(budget_mistakes(parts[0].suite)):
        raise HarnessError(
            f"--workers {workers}: a worker's share of quota.tokens_per_minute is less than one request takes; ask for "
            "fewer workers"
        )
    return parts


def _part(suite: Suite, index: int, of: int) -> Part:
    part, in_flight = Part(suite=suite, index=index, of=of), suite.load.max_in_flight
    load = msgspec.structs.replace(
        suite.load,
        concurrency=part.share(suite.load.concurrency),
        max_in_flight=None if in_flight is None else part.share(in_flight),
    )
    shares = {name: each / of for name, each in msgspec.structs.asdict(suite.quota).items() if each is not None}
    return msgspec.structs.replace(part, suite=msgspec.structs.replace(suite, load=load, quota=Quota(**shares)))


class WorkerPool:
    """Workers whose clients are open."""

    def __init__(self, suite: Suite, workers: Sequence[tuple[int, Process]]) -> None:
        self._budget_usd = suite.budget_usd
        self._workers = workers

    async def send(self, job: Job, folder: RunFolder, progress: Progress, stop: Stop) -> list[ClientHealth]:
        """Send the whole plan of the suite that the clients were opened for, each worker its part into a journal of its
        own; returns the health of each.

        A stop is passed on to all. RunInvalid: a worker ended before its part did; the others are stopped, and what
        the journals hold is kept.
        """
        job = msgspec.structs.replace(job, start_ns=clock.now_ns() + HEAD_START_NS)
        counts: list[dict[str, Tally]] = [{} for _ in self._workers]
        for index, process in self._workers:
            await _write(process, pack((job, folder.journal_path(index))))

        async def follow(index: int, process: Process) -> ClientHealth:
            while True:
                match await _next_report(index, process):
                    case Counted(tallies=tallies):
                        counts[index] = tallies
                        _add_up(progress, counts)
                        stop_at_budget(self._budget_usd, progress, stop)
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
            await _write(process, STOP)


@asynccontextmanager
async def open_worker_pool(suite: Suite, url: str, *, workers: int) -> AsyncIterator[WorkerPool]:
    """So many workers for the parts of a suite, their clients open; ended on leaving. HarnessError: the load cannot be
    shared by so many, or what kept a worker from opening them.

    A worker ends by itself when this process does, whatever happens to it.
    """
    started: list[tuple[int, Process]] = []
    parts = split_suite(suite, workers)
    try:
        for part in parts:
            command = (sys.executable, "-P", "-m", "harness.load.workers.worker")
            process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, limit=REPORT_LIMIT)
            started.append((part.index, process))
            await _write(process, pack((part, url)))
        for index, process in started:
            assert isinstance(await _next_report(index, process), Ready)
        yield WorkerPool(suite, started)
    finally:
        for _, process in started:
            assert process.stdin is not None
            process.stdin.close()
        async with asyncio.TaskGroup() as ending:  # one that hangs is waited for once, however many do
            for _, process in started:
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


async def _write(process: Process, order: bytes) -> None:
    """Write to a worker's stdin. That it is gone is noticed by its missing report."""
    assert process.stdin is not None
    with suppress(ConnectionError):
        process.stdin.write(order)
        await process.stdin.drain()


async def _next_report(index: int, process: Process) -> Report:
    """The next line of a worker. HarnessError: it broke, or is gone."""
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line.endswith(b"\n"):
        code = await process.wait()
        raise RunInvalid(f"worker {index} ended before its part of the load did (exit code {code})")
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
