"""One load, from suite to journal: opens the clients, sends the plan, records every attempt, watches the loop."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

import msgspec

from harness.catalog.prices import price_for
from harness.clock import MonotonicClock
from harness.endpoints import make_client
from harness.endpoints.address import make_connection
from harness.endpoints.base import Client
from harness.errors import HarnessError
from harness.load.exchange import Exchange, Lane
from harness.load.lag import LagMonitor, LoopLag
from harness.load.plan import MEASURE, count_requests, make_plan
from harness.load.progress import Progress, Tally
from harness.load.quota import make_budget, make_cap
from harness.load.room import Room
from harness.load.runner import run_plan
from harness.load.stop import Reason, Stop
from harness.store.attempt import Attempt
from harness.suite.schema import Load, Suite

OPEN_POOL = 1000
"""Connections for each client under an open load, where nothing bounds the requests in flight."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What a load needs to know of its run."""

    run_id: str
    suite: Suite
    seed: int
    origin_ns: int
    """The run's zero on CLOCK_MONOTONIC."""


def start_progress(suite: Suite, *, seed: int) -> Progress:
    """Empty tallies for every target, with the number of requests that each will see where the plan knows it.

    HarnessError: the plan holds none.
    """
    counts = count_requests(suite, seed=seed)
    if counts is not None and not counts[MEASURE]:
        raise HarnessError(f"with seed {seed} no request is due in {suite.load.duration_s:g} s; raise rate or duration")
    alike = counts is not None and suite.load.rates_per_s is None
    planned = sum(counts.values()) // len(suite.targets) if counts is not None and alike else None
    return Progress(planned=planned, tallies={target.name: Tally() for target in suite.targets})


def _pool_size(load: Load, sharing: int) -> int:
    """Connections for a client that so many targets share."""
    if load.arrival == "closed":
        return load.concurrency * sharing
    return OPEN_POOL if load.max_in_flight is None else load.max_in_flight * sharing


@asynccontextmanager
async def open_lanes(suite: Suite, url: str, stop: Stop) -> AsyncIterator[dict[str, Lane]]:
    """Clients that are warm and the rest of what it takes to send, by target. `url`: `aws` or an endpoint's URL.

    One client for each (client, Region), with a pool as wide as what can be in flight through it. EndpointError: no
    credentials, no such address.
    """
    async with AsyncExitStack() as stack:
        clients: dict[tuple[str, str], Client] = {}
        for name, region in dict.fromkeys((target.client, target.region) for target in suite.targets):
            sharing = sum((target.client, target.region) == (name, region) for target in suite.targets)
            connection = make_connection(
                url,
                region=region,
                pool_size=_pool_size(suite.load, sharing),
                connect_timeout_s=suite.timeouts.connect_s,
            )
            clients[name, region] = await stack.enter_async_context(make_client(name, connection))
        limit = suite.load.max_in_flight
        yield {
            target.name: Lane(
                target=target,
                client=clients[target.client, target.region],
                price=price_for(target.base_model, target.routing, suite.prices),
                cap=make_cap(suite.quota, stop),
                budget=make_budget(suite, target, MonotonicClock(), stop),
                room=None if limit is None else Room(limit, MonotonicClock()),
            )
            for target in suite.targets
        }


async def run_load(
    job: Job, lanes: Mapping[str, Lane], *, record: Callable[[Attempt], None], progress: Progress, stop: Stop
) -> LoopLag:
    """Send the whole plan, or less of it when `stop` is asked; returns how late the event loop was meanwhile."""
    suite = job.suite
    exchange = Exchange(
        run_id=job.run_id,
        origin_ns=job.origin_ns,
        lanes=lanes,
        prompts={prompt.id: prompt for prompt in suite.prompts},
        retries=suite.retries,
        timeouts=suite.timeouts,
        clock=MonotonicClock(),
        rng=Random(f"{job.seed}/backoff"),
        record=_held_to_budget(record, suite.budget_usd, progress, stop),
        progress=progress,
        stop=stop,
    )
    exchange.build_attached()
    gc.collect()
    gc.freeze()  # what lives through the load is not walked again by every collection
    lag = LagMonitor()
    try:
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(lag.run())
            await run_plan(
                lambda: make_plan(suite, seed=job.seed),
                exchange,
                suite.load,
                targets=[target.name for target in suite.targets],
                clock=MonotonicClock(),
                stop=stop,
            )
            watch.cancel()
    finally:
        gc.unfreeze()
    return lag.result()


def _held_to_budget(
    record: Callable[[Attempt], None], budget_usd: float | None, progress: Progress, stop: Stop
) -> Callable[[Attempt], None]:
    """Record, and send nothing more once the attempts have cost the budget; what is on the wire costs on top."""
    if budget_usd is None:
        return record

    def record_and_check(attempt: Attempt) -> None:
        record(attempt)
        if progress.cost_usd >= budget_usd:
            stop.ask(Reason(what=f"the budget of ${budget_usd:g} is spent", remedy="raise the budget"))

    return record_and_check
