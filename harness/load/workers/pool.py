"""The worker processes that share a load: splits it among them, starts them together and sums their counts."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import msgspec

from harness import clock
from harness.errors import HarnessError, RunInvalid, first_leaf
from harness.load.limits.budget import budget_of
from harness.load.limits.errors import ErrorGuard
from harness.load.limits.quota import budget_mistakes
from harness.load.plan import NOTHING, Part, Recorded
from harness.load.progress import Histogram, Progress, Tally, sum_tallies
from harness.load.session import Job
from harness.load.stop import Stop
from harness.load.workers.messages import (
    EndReport,
    ErrorReport,
    Order,
    ProgressReport,
    ReadyReport,
    Report,
    StartOrder,
    StopOrder,
    decode_report,
    pack,
)
from harness.load.workers.shares import Shares
from harness.store.client_health import ClientHealth
from harness.store.run_folder import RunFolder
from harness.suite.suite import Quota, Suite

HEAD_START_NS = 200_000_000
"""Between the order to send and the first due time, so that every worker reads the order in time."""
PATIENCE_S = 10.0
"""How long a worker gets to cancel its requests and journal them before it is killed."""
REPORT_LIMIT = 1 << 24


def split_suite(suite: Suite, workers: int, recorded: Recorded = NOTHING) -> list[Part]:
    """One part for each worker. HarnessError: there are fewer slots than workers, or too few tokens for each."""
    key = "concurrency" if suite.load.arrival == "closed" else "max_in_flight"
    slots = getattr(suite.load, key)
    if slots is not None and workers > slots:
        raise HarnessError(
            f"--workers {workers}: the load has {slots} slots (load.{key}), and every worker needs its own; use fewer "
            "workers"
        )
    parts = [_part(suite, index, workers, recorded) for index in range(workers)]
    if workers > 1 and any(budget_mistakes(parts[0].suite)):
        raise HarnessError(
            f"--workers {workers}: a worker's share of quota.tokens_per_minute is less than one request takes; use "
            "fewer workers"
        )
    return parts


def _part(suite: Suite, index: int, of: int, recorded: Recorded) -> Part:
    part, in_flight = Part(suite=suite, index=index, of=of, recorded=recorded), suite.load.max_in_flight
    load = msgspec.structs.replace(
        suite.load,
        concurrency=part.share(suite.load.concurrency),
        max_in_flight=None if in_flight is None else part.share(in_flight),
    )
    shares = {name: each / of for name, each in msgspec.structs.asdict(suite.quota).items() if each is not None}
    return msgspec.structs.replace(part, suite=msgspec.structs.replace(suite, load=load, quota=Quota(**shares)))


class WorkerPool:
    """Workers that are ready to send."""

    def __init__(self, suite: Suite, workers: Sequence[tuple[int, Process]]) -> None:
        self._suite = suite
        self._workers = workers

    async def send(self, job: Job, folder: RunFolder, progress: Progress, stop: Stop) -> list[ClientHealth]:
        """Send the whole plan, each worker its part into its own journal; returns the health of each worker.

        A stop is passed on to all workers. RunInvalid: a worker ended before its part was sent; the others are stopped
        then, and all journals are kept.
        """
        job = msgspec.structs.replace(job, start_ns=clock.now_ns() + HEAD_START_NS)
        following = _Following(self._suite, self._workers, job, progress, stop)
        for (index, process), share in zip(self._workers, following.first_shares(), strict=True):
            await _order(process, StartOrder(job=job, journal=folder.journal_path(index), share=share))

        try:
            async with asyncio.TaskGroup() as tasks:
                ending = [tasks.create_task(following.follow(*worker)) for worker in self._workers]
                passing_on = tasks.create_task(self._pass_on(stop))
                health = [await each for each in ending]
                passing_on.cancel()
        except BaseExceptionGroup as group:
            raise first_leaf(group) from None
        return health

    async def _pass_on(self, stop: Stop) -> None:
        await stop.wait()
        for _, process in self._workers:
            await _order(process, StopOrder())


class _Following:
    """What the main process does with the reports of its workers: adds them up, shares the budget, stops targets."""

    def __init__(
        self, suite: Suite, workers: Sequence[tuple[int, Process]], job: Job, progress: Progress, stop: Stop
    ) -> None:
        self._workers = workers
        self._progress = progress
        self._stop = stop
        self._reports = [ProgressReport(tallies={}, lag=Histogram()) for _ in workers]
        budget = budget_of(suite, spent_usd=job.spent_usd)
        self._shares = None if budget is None else Shares(budget, len(workers))
        self._to_stop: list[str] = []
        self._guard = ErrorGuard(
            suite,
            progress.stopped,
            has_sent_all=progress.has_sent_all,
            stop_target=self._to_stop.append,
            stop=stop,
        )

    def first_shares(self) -> Sequence[int | None]:
        """What each worker may spend at first, nanodollars. None: there is no budget."""
        return [None] * len(self._workers) if self._shares is None else self._shares.first

    async def follow(self, index: int, process: Process) -> ClientHealth:
        """Read a worker's reports until it has ended; returns its health."""
        while True:
            match await _next_report(index, process):
                case ProgressReport() as report:
                    await self._take_in(index, report)
                case EndReport(health=health):
                    if self._shares is not None:
                        self._shares.end(index)
                    return health

    async def _take_in(self, index: int, report: ProgressReport) -> None:
        earlier, self._reports[index] = self._reports[index], report
        _add_up(self._progress, self._reports)
        if report.reason is not None:
            self._stop.request(report.reason)
        for name, tally in () if report.last else report.tallies.items():
            before = earlier.tallies.get(name, Tally())
            failed = {kind: count - before.failures.get(kind, 0) for kind, count in tally.failures.items()}
            self._guard.count(name, tally.measured - before.measured, failed)
        while self._to_stop:
            order = StopOrder(self._to_stop.pop())
            for _, process in self._workers:
                await _order(process, order)
        if self._shares is not None and report.share is not None:
            for at, each in list(self._shares.update(index, report.share)):
                await _order(self._workers[at][1], each)
            if (spent := self._shares.why_spent()) is not None:
                self._stop.request(spent)


@asynccontextmanager
async def open_worker_pool(
    suite: Suite, url: str, *, workers: int, recorded: Recorded = NOTHING
) -> AsyncIterator[WorkerPool]:
    """Start the workers and open their clients; end them on leaving. `url`: `aws` or an endpoint's URL.

    HarnessError: the load cannot be split among so many workers, or a worker cannot open its clients. Workers also end
    when this process does, however it ends.
    """
    started: list[tuple[int, Process]] = []
    parts = split_suite(suite, workers, recorded)
    try:
        for part in parts:
            command = (sys.executable, "-P", "-m", "harness.load.workers.worker")
            process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, limit=REPORT_LIMIT)
            started.append((part.index, process))
            await _order(process, (part, url))
        for index, process in started:
            assert isinstance(await _next_report(index, process), ReadyReport)
        yield WorkerPool(suite, started)
    finally:
        for _, process in started:
            assert process.stdin is not None
            process.stdin.close()
        async with asyncio.TaskGroup() as ending:  # concurrently, so that several hanging workers cost one wait
            for _, process in started:
                ending.create_task(_end(process))


async def _end(process: Process) -> None:
    """Wait for a worker whose stdin is closed, and kill it if it does not end in time."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await process.communicate()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _order(process: Process, order: Order) -> None:
    """Write to a worker's stdin. If the worker is gone, reading its next report raises the error."""
    assert process.stdin is not None
    with suppress(ConnectionError):
        process.stdin.write(pack(order))
        await process.stdin.drain()


async def _next_report(index: int, process: Process) -> Report:
    """The next report of a worker. HarnessError: the worker's error; RunInvalid: the worker is gone."""
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line.endswith(b"\n"):
        code = await process.wait()
        raise RunInvalid(f"worker {index} ended before it had sent its part of the load (exit code {code})")
    report: Report = decode_report(line)
    if isinstance(report, ErrorReport):
        error = HarnessError(report.message)
        error.exit_code = report.exit_code
        raise error
    return report


def _add_up(progress: Progress, reports: Sequence[ProgressReport]) -> None:
    """Set the run's counts to the sums over the workers."""
    for name in progress.tallies:
        progress.tallies[name] = sum_tallies(*(each.tallies[name] for each in reports if name in each.tallies))
    progress.lag = Histogram()
    for each in reports:
        progress.lag.include(each.lag)
