"""The workers that share a load: splits it among them, starts them together and sums their counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec

from harness import clock
from harness.errors import HarnessError, first_leaf
from harness.load.limits.budget import budget_of
from harness.load.limits.errors import ErrorGuard
from harness.load.limits.quota import budget_mistakes
from harness.load.plan import NOTHING, Part, Recorded
from harness.load.progress import Histogram, Progress, Tally, sum_tallies
from harness.load.session import Job
from harness.load.stop import Stop
from harness.load.workers.link import Link
from harness.load.workers.messages import EndReport, Order, ProgressReport, ReadyReport, StartOrder, StopOrder
from harness.load.workers.shares import Shares
from harness.store.client_health import ClientHealth
from harness.store.run_folder import RunFolder
from harness.suite.suite import Quota, Suite

HEAD_START_NS = 200_000_000
"""Between the order to send and the first due time, so that every worker reads the order in time."""


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

    def __init__(self, suite: Suite, workers: Sequence[Link], *, head_start_ns: int) -> None:
        self._suite = suite
        self._workers = workers
        self._head_start_ns = head_start_ns

    async def send(self, job: Job, folder: RunFolder, progress: Progress, stop: Stop) -> list[ClientHealth]:
        """Send the whole plan, each worker its part into its own journal; returns the health of each worker.

        A stop is passed on to all workers. RunInvalid: a worker ended before its part was sent; the others are stopped
        then, and all journals are kept.
        """
        job = msgspec.structs.replace(job, start_ns=clock.now_ns() + self._head_start_ns)
        following = _Following(self._suite, self._workers, job, progress, stop)
        starts = [
            (each, StartOrder(job=job, journal=folder.journal_path(each.index), share=share))
            for each, share in zip(self._workers, following.first_shares(), strict=True)
        ]
        try:
            async with asyncio.TaskGroup() as tasks:
                for worker, start in starts:
                    tasks.create_task(worker.order(start))
            async with asyncio.TaskGroup() as tasks:
                ending = [tasks.create_task(following.follow(worker)) for worker in self._workers]
                passing_on = tasks.create_task(self._pass_on(stop))
                health = [await each for each in ending]
                passing_on.cancel()
        except BaseExceptionGroup as group:
            raise first_leaf(group) from None
        return health

    async def _pass_on(self, stop: Stop) -> None:
        await stop.wait()
        await _order_all(self._workers, StopOrder())


class _Following:
    """What the main process does with the reports of its workers: adds them up, shares the budget, stops targets."""

    def __init__(self, suite: Suite, workers: Sequence[Link], job: Job, progress: Progress, stop: Stop) -> None:
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

    async def follow(self, worker: Link) -> ClientHealth:
        """Read a worker's reports until it has ended; returns its health."""
        while True:
            match await worker.next_report():
                case ProgressReport() as report:
                    await self._take_in(worker.index, report)
                case EndReport(health=health):
                    if self._shares is not None:
                        self._shares.end(worker.index)
                    return health

    async def _take_in(self, index: int, report: ProgressReport) -> None:
        earlier, self._reports[index] = self._reports[index], report
        _add_up(self._progress, self._reports)
        self._progress.lost_nodes[index] = report.lost_nodes
        if report.reason is not None:
            self._stop.request(report.reason)
        for name, tally in () if report.last else report.tallies.items():
            before = earlier.tallies.get(name, Tally())
            failed = {kind: count - before.failures.get(kind, 0) for kind, count in tally.failures.items()}
            self._guard.count(name, tally.measured - before.measured, failed)
        while self._to_stop:
            await _order_all(self._workers, StopOrder(self._to_stop.pop()))
        if self._shares is not None and report.share is not None:
            for at, each in list(self._shares.update(index, report.share)):
                await self._workers[at].order(each)
            if (spent := self._shares.why_spent()) is not None:
                self._stop.request(spent)


@asynccontextmanager
async def open_worker_pool(
    suite: Suite,
    start: Callable[[Part], Awaitable[Link]],
    *,
    workers: int,
    recorded: Recorded = NOTHING,
    head_start_ns: int = HEAD_START_NS,
) -> AsyncIterator[WorkerPool]:
    """Start the workers and wait until their clients are open; end them on leaving. `start`: a worker, with its part.

    HarnessError: the load cannot be split among so many workers, or a worker cannot open its clients.
    """
    started: list[Link] = []
    parts = split_suite(suite, workers, recorded)
    try:
        for part in parts:
            worker = await start(part)
            started.append(worker)
        await _wait_until_ready(started)
        yield WorkerPool(suite, started, head_start_ns=head_start_ns)
    finally:
        async with asyncio.TaskGroup() as ending:  # concurrently, so that several hanging workers cost one wait
            for each in started:
                ending.create_task(each.end())


async def _wait_until_ready(workers: Sequence[Link]) -> None:
    """HarnessError: a worker cannot open its clients."""
    try:
        async with asyncio.TaskGroup() as tasks:
            ready = [tasks.create_task(each.next_report()) for each in workers]
    except BaseExceptionGroup as group:
        raise first_leaf(group) from None
    assert all(isinstance(each.result(), ReadyReport) for each in ready)


async def _order_all(workers: Sequence[Link], order: Order) -> None:
    """Send the same order to all workers, one after the other."""
    for each in workers:
        await each.order(order)


def _add_up(progress: Progress, reports: Sequence[ProgressReport]) -> None:
    """Set the run's counts to the sums over the workers."""
    for name in progress.tallies:
        progress.tallies[name] = sum_tallies(*(each.tallies[name] for each in reports if name in each.tallies))
    progress.lag = Histogram()
    for each in reports:
        progress.lag.include(each.lag)
