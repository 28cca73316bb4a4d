"""A worker on a cluster: copies its journal, and goes on elsewhere if its node is lost."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress

import msgspec

from harness import clock
from harness.characters import printable
from harness.errors import HarnessError, RunInvalid, StoreError
from harness.load.cluster.cluster import PLACE_S, Cluster
from harness.load.cluster.host import News
from harness.load.cluster.hosted import Hosted, NodeLost
from harness.load.cluster.rest import Rest, cancelled_lines, find_rest
from harness.load.plan import Part
from harness.load.progress import Histogram, Tally, sum_tallies
from harness.load.stop import Reason
from harness.load.workers.link import read_report
from harness.load.workers.local import PATIENCE_S
from harness.load.workers.messages import EndReport, Order, ProgressReport, ReadyReport, Report, StartOrder, StopOrder
from harness.load.workers.shares import Grant, ShareReport
from harness.store.client_health import ClientHealth, LostNode
from harness.store.journal import JournalCopy

HEAD_START_NS = 1_000_000_000
"""Between the order to send and the first due time, so that every node has read the order by then."""
MOST_LOST = 5
"""Nodes, of one worker. After that something else is wrong."""
NOT_REPLACED = Reason(
    what="a node of the cluster was lost, and no other had a free CPU for its part",
    remedy="complete it with `harness run --resume RUN`, here or on the cluster",
)


class _Gap(msgspec.Struct, frozen=True):
    """Between a lost node and the next one."""

    at_ns: int
    """When the node was lost, on this machine's CLOCK_MONOTONIC."""
    part: Part | None
    """What is left to send. None: nothing."""


class ClusterWorker:
    """A `Link` to a worker on some node of the cluster."""

    def __init__(self, cluster: Cluster, part: Part) -> None:
        self.index = part.index
        self._cluster = cluster
        self._first = self._part = part
        self._hosted = Hosted(cluster.place())
        self._start: StartOrder | None = None
        self._reports: deque[Report] = deque()
        self._latest = ProgressReport(tallies={}, lag=Histogram())
        self._before = ProgressReport(tallies={}, lag=Histogram(), share=ShareReport())
        """What lost nodes had counted."""
        self._sends = False
        """Whether this node was told to start, and so may be told more."""
        self._granted = 0
        self._stopped: list[StopOrder] = []
        self._stopping = asyncio.Event()
        self._lost: list[LostNode] = []
        self._gap: _Gap | None = None
        self._ended = False

    async def order(self, order: Order) -> None:
        match order:
            case StartOrder():
                self._copy = JournalCopy(order.journal)
                self._start = order  # from now on, there is a copy
                self._granted = order.share or 0
                self._sends = True
            case Grant(amount=amount):
                self._granted += amount
            case StopOrder():
                self._stopped.append(order)
                if order.target is None:
                    self._stopping.set()
        if self._sends:
            with suppress(NodeLost):
                await self._hosted.order(order)

    async def next_report(self) -> Report:
        if self._start is None and not self._hosted.is_open:
            await self._open_first()
        while not self._reports:
            if self._gap is not None:
                await self._close(self._gap)
                continue
            try:
                news = await self._hosted.news()
            except NodeLost as error:
                await self._record_loss(error)
            else:
                await self._hear(news)
        return self._reports.popleft()

    async def end(self) -> None:
        try:
            async with asyncio.timeout(2 * PATIENCE_S):
                await self._end_hosted()
        except (TimeoutError, NodeLost, StoreError):  # a full disk was told as it filled up
            pass
        finally:
            self._cluster.discard(self._hosted.actor)
            if self._start is not None:
                self._copy.close()

    async def _end_hosted(self) -> None:
        if not self._hosted.is_open:
            return
        await self._hosted.end()
        news: News | None = None
        while self._start is not None and (news is None or news.exit_code is None):
            news = await self._hosted.news()
            self._copy.append(news.journal)

    async def _open_first(self) -> None:
        try:
            await self._hosted.open(self._part, self._cluster.url, within_s=PLACE_S)
        except TimeoutError:
            raise self._cluster.crowded() from None
        except NodeLost as error:
            raise HarnessError(
                f"worker {self.index} could not be started on the cluster: {_last_line(error)}; mend that, then run "
                "the suite again"
            ) from error

    async def _hear(self, news: News) -> None:
        if news.journal:
            self._copy.append(news.journal)
        self._reports.extend(self._known(read_report(line)) for line in news.reports)
        if news.exit_code is None or self._ended:
            return
        if news.silent:
            await self._record_loss(NodeLost("it heard nothing from here"))
            return
        raise RunInvalid(
            f"worker {self.index} on node {self._hosted.place.address} ended before it had sent its part of the load "
            f"(exit code {news.exit_code}){''.join(f'; {line}' for line in printable(news.errors).splitlines()[-1:])}"
        )

    def _known(self, report: Report) -> Report:
        """A report with what was known of this part before."""
        match report:
            case ProgressReport():
                self._latest = report
                return self._with_before(report) if self._lost else report
            case EndReport(health=health):
                self._ended = True
                return EndReport(
                    health=msgspec.structs.replace(health, node_clock=self._hosted.clock, lost_nodes=tuple(self._lost))
                )
        return report

    def _with_before(self, report: ProgressReport) -> ProgressReport:
        tallies = {
            name: sum_tallies(self._before.tallies.get(name, Tally()), tally) for name, tally in report.tallies.items()
        }
        lag = self._before.lag.copy()
        lag.include(report.lag)
        share, before = report.share, self._before.share
        if share is not None and before is not None:
            share = msgspec.structs.replace(
                share, spent=before.spent + share.spent, given_back=before.given_back + share.given_back
            )
        return msgspec.structs.replace(report, tallies=tallies, lag=lag, share=share, lost_nodes=tuple(self._lost))

    async def _record_loss(self, error: NodeLost) -> None:
        """Record what the lost node had in flight, and report that before the rest is sent from another one."""
        if self._start is None:
            raise HarnessError(
                f"node {self._hosted.place.address} was lost before the load started: {_last_line(error)}; run the "
                "suite again"
            ) from error
        at_ns, start, self._sends = clock.now_ns(), self._start, False
        started = {name: tally.done + tally.in_flight for name, tally in self._latest.tallies.items()}
        rest = await asyncio.to_thread(find_rest, self._first, self._part, start.journal, started, seed=start.job.seed)
        lines, recorded, cancelled = cancelled_lines(self._part, rest, start.job, at_ns=at_ns)
        self._copy.append(lines)
        self._count_lost(rest, cancelled)
        self._cluster.discard(self._hosted.actor)
        in_flight = len(rest.in_flight) + rest.cancelled
        self._lost.append(LostNode(at_ns=at_ns - start.job.origin_ns, cancelled=in_flight, paused_ns=None))
        part = self._rest_of_part(rest, msgspec.structs.replace(self._first, recorded=recorded), at_ns)
        self._gap = _Gap(at_ns=at_ns, part=part)
        self._reports.append(self._with_before(self._latest))

    async def _close(self, gap: _Gap) -> None:
        """Send what the lost node had not sent from another one, if there is one."""
        self._gap = None
        if gap.part is None or self._stopping.is_set():
            self._give_up(None)
        elif len(self._lost) > MOST_LOST or not await self._open_another(gap.part):
            self._give_up(None if self._stopping.is_set() else NOT_REPLACED)
        else:
            self._lost[-1] = msgspec.structs.replace(self._lost[-1], paused_ns=clock.now_ns() - gap.at_ns)
            self._reports.append(self._with_before(self._latest))

    def _count_lost(self, rest: Rest, cancelled: dict[str, Tally]) -> None:
        """Keep the counts of the lost node. What its attempts in flight had reserved counts as spent."""
        known = self._with_before(self._latest)
        for name, tally in known.tallies.items():
            tally.include(cancelled[name])
            tally.in_flight, tally.done = 0, rest.done.get(name, 0)
        share = known.share
        if share is not None:
            share = msgspec.structs.replace(share, spent=share.spent + share.reserved, reserved=0, free=0, wanted=0)
        self._before = ProgressReport(tallies=known.tallies, lag=known.lag, share=share or ShareReport())
        self._latest = ProgressReport(tallies={name: Tally() for name in known.tallies}, lag=Histogram())

    def _rest_of_part(self, rest: Rest, part: Part, at_ns: int) -> Part | None:
        """What is left to send. None: nothing, as the time of a closed load is up."""
        load, start = part.suite.load, self._start
        assert start is not None
        if load.arrival != "closed" or load.duration_s is None or rest.measured_from_ns is None:
            return part
        left_s = load.duration_s - (at_ns - start.job.origin_ns - rest.measured_from_ns) / 1e9
        suite = msgspec.structs.replace(part.suite, load=msgspec.structs.replace(load, duration_s=left_s))
        return msgspec.structs.replace(part, suite=suite) if left_s > 0 else None

    async def _open_another(self, part: Part) -> bool:
        """Start the part on another node. False: none has a free CPU, or a stop came first."""
        opening = asyncio.create_task(self._start_another(part))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((opening, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (opening, stopping):
                each.cancel()
            await asyncio.wait((opening,))
        return not opening.cancelled() and opening.result()

    async def _start_another(self, part: Part) -> bool:
        """False: no node has a free CPU, or those that had are lost as well."""
        for _ in range(MOST_LOST):
            self._part, self._hosted = part, Hosted(self._cluster.place())
            try:
                await self._hosted.open(part, self._cluster.url, within_s=self._cluster.replace_s)
                while not (news := await self._hosted.news()).reports:
                    if news.exit_code is not None:
                        raise NodeLost(news.errors)
                assert isinstance(read_report(news.reports[0]), ReadyReport)
                await self._start_again()
            except TimeoutError:
                return False
            except NodeLost:
                self._cluster.discard(self._hosted.actor)
            else:
                return True
        return False

    async def _start_again(self) -> None:
        """Start the load on this node, with what is left of the budget's share and of the targets."""
        start, before = self._start, self._before.share
        assert start is not None
        assert before is not None
        share = None if start.share is None else max(0, self._granted - before.given_back - before.spent)
        job = msgspec.structs.replace(start.job, start_ns=clock.now_ns() + HEAD_START_NS)
        self._start, self._sends = msgspec.structs.replace(start, job=job), True  # from now on, orders follow this one
        await self._hosted.order(msgspec.structs.replace(start, job=job, share=share))
        for order in self._stopped:
            await self._hosted.order(order)

    def _give_up(self, reason: Reason | None) -> None:
        """End this part as it is."""
        self._ended = True
        last = self._with_before(self._latest)
        self._reports.append(msgspec.structs.replace(last, share=self._before.share, reason=reason, last=True))
        nothing = ClientHealth(
            worker=self.index,
            lag_samples=0,
            lag_p50_ns=0,
            lag_p99_ns=0,
            lag_max_ns=0,
            cpu_share=0.0,
            busiest_cpu_share=0.0,
            lost_nodes=tuple(self._lost),
        )
        self._reports.append(EndReport(health=nothing))


def _last_line(error: Exception) -> str:
    """Of a message of Ray's, which is long, what names the cause."""
    lines = [line for line in printable(str(error)).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
