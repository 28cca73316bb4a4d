"""What runs a worker on a node, without the cluster around it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest

from harness.clock import now_ns
from harness.load.cluster.host import STARTED, Host, News
from harness.load.plan import Part
from harness.load.session import Job
from harness.load.workers.messages import EndReport, StartOrder, decode_report, pack
from harness.store.records import Attempt
from harness.suite.suite import Load, Suite
from tests.processes import descendants, wait_until

MakeSuite = Callable[..., Suite]
Simulator = Callable[..., Awaitable[str]]


@pytest.fixture
def suite(make_suite: MakeSuite) -> Suite:
    """Four requests, two of them at once, to a model that exists."""
    made = make_suite(Load(concurrency=2))
    model_id = "global.anthropic.claude-haiku-4-5-20251001-v1:0"
    targets = tuple(msgspec.structs.replace(each, model_id=model_id) for each in made.targets)
    return msgspec.structs.replace(made, targets=targets)


async def start_load(host: Host, suite: Suite, url: str) -> None:
    place = await host.start(url, "127.0.0.1")
    await host.order(1, pack((Part(suite=suite), url)))
    while not (await host.tell(0, 0)).reports:  # that it is ready
        pass
    job = Job(run_id="r", seed=1, origin_ns=now_ns(), start_ns=now_ns())
    await host.order(STARTED, pack(StartOrder(job=job, journal=Path(place.journal), share=None)))


async def hear_all(host: Host) -> AsyncIterator[News]:
    """All news after the first report, until the worker has ended."""
    journal, reports, ended = 0, 1, False
    while not ended:
        news = await host.tell(journal, reports)
        journal, reports, ended = journal + len(news.journal), reports + len(news.reports), news.exit_code is not None
        yield news


def attempts(news: News) -> list[Attempt]:
    return [msgspec.json.decode(line, type=Attempt) for line in news.journal.splitlines()]


@pytest.fixture
def has_ended() -> Callable[[], Awaitable[None]]:
    """Waits until the worker that the test starts has ended."""
    before = set(descendants(os.getpid()))
    return partial(asyncio.to_thread, wait_until, lambda: set(descendants(os.getpid())) == before)


async def test_a_worker_that_nobody_asks_for_news_cancels_what_it_has_in_flight_and_ends(
    suite: Suite, simulator: Simulator, has_ended: Callable[[], Awaitable[None]]
) -> None:
    host = Host(silence_ns=500_000_000)
    await start_load(host, suite, await simulator(speed=0.001))
    await has_ended()
    news = [each async for each in hear_all(host)]
    assert news[-1].silent
    assert ["cancelled", "cancelled"] == [row.error_kind for each in news for row in attempts(each)]


async def test_the_last_report_comes_after_the_whole_journal_also_if_that_comes_in_pieces(
    suite: Suite, simulator: Simulator, has_ended: Callable[[], Awaitable[None]]
) -> None:
    host = Host(piece_bytes=2048)
    await start_load(host, suite, await simulator(speed=1000.0))
    await has_ended()
    rows: list[int] = []
    async for news in hear_all(host):
        rows.append(len(attempts(news)))
        if any(isinstance(decode_report(line), EndReport) for line in news.reports):
            assert 4 == sum(rows)
    assert rows.count(0) < len(rows) - 1  # several pieces
    assert (4, 0, False) == (sum(rows), news.exit_code, news.silent)
