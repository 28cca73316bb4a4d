"""A worker on a node, as the main process sees it: an actor, `Host`, and how far its news was heard."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from harness.load.cluster.clocks import measure_clock, on_clock
from harness.load.cluster.host import News, Place
from harness.load.plan import Part
from harness.load.workers.messages import Order, StartOrder, pack
from harness.store.client_health import NodeClock


class NodeLost(Exception):
    """The node, or the actor on it, is gone."""


@contextmanager
def _losses_told() -> Iterator[None]:
    """NodeLost in place of Ray's error."""
    from ray.exceptions import RayActorError

    try:
        yield
    except RayActorError as error:
        raise NodeLost(str(error)) from error


class Hosted:
    """One worker on one node. All methods raise NodeLost."""

    place: Place
    clock: NodeClock
    """Both set by `open`."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.is_open = False
        self._ordered = 0
        self._copied = 0
        self._seen = 0

    async def open(self, part: Part, url: str, *, within_s: float) -> None:
        """Start the worker once its node has a free CPU, and compare clocks. TimeoutError: none was free in time."""
        with _losses_told():
            async with asyncio.timeout(within_s):
                address = await self.actor.find_address.remote()
            self.place = await self.actor.start.remote(url, address)
            self.is_open = True
            self.clock = await measure_clock(self.actor.read_clocks.remote)
        await self.order((part, url))

    async def order(self, order: Order) -> None:
        """Send an order. One to start is put on the node's clock first."""
        if isinstance(order, StartOrder):
            job = on_clock(order.job, self.clock)
            order = msgspec.structs.replace(order, job=job, journal=Path(self.place.journal))
        self._ordered += 1
        with _losses_told():
            await self.actor.order.remote(self._ordered, pack(order))

    async def news(self) -> News:
        """Wait for news, but not long. Asking again acknowledges it."""
        with _losses_told():
            news: News = await self.actor.tell.remote(self._copied, self._seen)
        self._copied += len(news.journal)
        self._seen += len(news.reports)
        return news

    async def end(self) -> None:
        """End the worker. Its last news can still be heard."""
        with _losses_told():
            await self.actor.end.remote()
