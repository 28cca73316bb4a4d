"""One load, from suite to journal: opens the clients, sends the plan, records every attempt, watches the loop."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random

import msgspec

from harness.catalog.prices import Price, Terms, price_for, terms_of
from harness.catalog.target import Target
from harness.clock import MonotonicClock
from harness.endpoints import make_client
from harness.endpoints.address import make_connection
from harness.endpoints.base import Client
from harness.errors import HarnessError
from harness.load.limits import Connections, InFlightLimit, make_budget, make_cap
from harness.load.plan import MEASURE, make_plan
from harness.load.recorder import Progress, Tally
from harness.load.runner import run_plan
from harness.load.sender import Exchange, Lane
from harness.load.shards import Shard
from harness.load.stop import Reason, Stop
from harness.load.watch import Watch, allow_connections
from harness.store.client_health import ClientHealth
from harness.store.journal import Journal
from harness.store.records import Attempt
from harness.suite.suite import Suite

OPEN_POOL = 10_000
"""Connections for each client under an open load, where nothing bounds the requests in flight; fewer where the system
allows fewer open files."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What a load needs to know of its run."""

    run_id: str
    suite: Suite
    seed: int
    origin_ns: int
    """The run's zero on CLOCK_MONOTONIC."""
    shard: Shard = Shard()
    """The part of the plan to send; `suite` then has this part's slots and caps."""
    start_ns: int | None = None
    """When an open load begins, on CLOCK_MONOTONIC, the same for all parts. None: at once."""


def start_progress(suite: Suite, counts: Mapping[str, int] | None, *, seed: int) -> Progress:
    """Empty tallies for every target, with the number of requests that each will see where the plan knows it.

    `counts`: the plan's, from `count_requests`. HarnessError: the plan holds none.
    """
    if counts is not None and not counts[MEASURE]:
        raise HarnessError(f"with seed {seed} no request is due in {suite.load.duration_s:g} s; raise rate or duration")
    alike = counts is not None and suite.load.rates_per_s is None
    planned = sum(counts.values()) // len(suite.targets) if counts is not None and alike else None
    return Progress(planned=planned, tallies={target.name: Tally() for target in suite.targets})


@asynccontextmanager
async def open_lanes(suite: Suite, url: str, stop: Stop) -> AsyncIterator[dict[str, Lane]]:
    """Clients that are warm and the rest of what it takes to send, by target. `url`: `aws` or an endpoint's URL.

    One client for each (client, Region), with a pool as wide as what can be in flight through it. EndpointError: no
    credentials, no such address, more streams than open files.
    """
    async with AsyncExitStack() as stack:
        clients: dict[tuple[str, str], Client] = {}
        pools = {place: Connections(size) for place, size in _pool_sizes(suite).items()}
        for (name, region), pool in pools.items():
            connection = make_connection(
                url, region=region, pool_size=pool.size, connect_timeout_s=suite.timeouts.connect_s
            )
            clients[name, region] = await stack.enter_async_context(make_client(name, connection))
        limit = suite.load.max_in_flight
        yield {
            target.name: Lane(
                target=target,
                client=clients[target.client, target.region],
                prices=_prices(target, suite),
                cap=make_cap(suite.quota, stop),
                connections=pools[target.client, target.region],
                budget=make_budget(suite, target, MonotonicClock(), stop),
                in_flight_limit=None if limit is None else InFlightLimit(limit, MonotonicClock()),
            )
            for target in suite.targets
        }


def _prices(target: Target, suite: Suite) -> dict[Terms, Price | None]:
    """The target's price on its own terms, and on those that prompts ask for."""
    terms = {terms_of(target.options), *(terms_of(target.options, prompt.options) for prompt in suite.prompts)}
    return {each: price_for(target.base_model, target.routing, suite.prices, each) for each in terms}


def _pool_sizes(suite: Suite) -> dict[tuple[str, str], int]:
    """Connections for each (client, Region): one for each request that each of its targets may have in flight."""
    sharing = Counter((target.client, target.region) for target in suite.targets)
    load = suite.load
    in_flight = load.concurrency if load.arrival == "closed" else load.max_in_flight
    if in_flight is not None:
        allow_connections(in_flight * sharing.total())
        return {place: in_flight * targets for place, targets in sharing.items()}
    possible = allow_connections(OPEN_POOL * len(sharing), at_least=len(sharing))
    return dict.fromkeys(sharing, possible // len(sharing))


async def send_part(job: Job, lanes: Mapping[str, Lane], journal: Path, progress: Progress, stop: Stop) -> ClientHealth:
    """Send this process's part of the plan and journal it; what the process suffered meanwhile."""
    async with Journal(journal) as written:
        return await run_load(job, lanes, record=written.record, progress=progress, stop=stop)


async def run_load(
    job: Job, lanes: Mapping[str, Lane], *, record: Callable[[Attempt], None], progress: Progress, stop: Stop
) -> ClientHealth:
    """Send the whole plan, or less of it when `stop` is asked; returns what this process suffered meanwhile."""
    suite = job.suite
    exchange = make_exchange(job, lanes, record=record, progress=progress, stop=stop)
    async with watched(lanes) as watch:
        await run_plan(
            lambda: job.shard.select(make_plan(suite, seed=job.seed)),
            exchange,
            suite.load,
            warmup=job.shard.count(suite.load.warmup),
            start_ns=job.start_ns,
            targets=[target.name for target in suite.targets],
            clock=MonotonicClock(),
            stop=stop,
        )
    held_back = {name: lane.in_flight_limit.held for name, lane in lanes.items() if lane.in_flight_limit is not None}
    return msgspec.structs.replace(watch.result(worker=job.shard.index), held_back=held_back)


def make_exchange(
    job: Job, lanes: Mapping[str, Lane], *, record: Callable[[Attempt], None], progress: Progress, stop: Stop
) -> Exchange:
    """What sends a job's requests, held to the suite's budget; attachments are read now, not during the load."""
    suite = job.suite
    exchange = Exchange(
        run_id=job.run_id,
        origin_ns=job.origin_ns,
        lanes=lanes,
        prompts={prompt.id: prompt for prompt in suite.prompts},
        retries=suite.retries,
        timeouts=suite.timeouts,
        store_text=suite.load.store_text,
        clock=MonotonicClock(),
        rng=Random(f"{job.seed}/backoff/{job.shard.index}"),
        record=_held_to_budget(record, suite.budget_usd, progress, stop),
        progress=progress,
        stop=stop,
    )
    exchange.build_attached()
    return exchange


@asynccontextmanager
async def watched(lanes: Mapping[str, Lane]) -> AsyncIterator[Watch]:
    """While inside, the process is watched, and garbage collection does not walk what was there before."""
    gc.collect()
    gc.freeze()
    watch = Watch({lane.connections for lane in lanes.values()})
    try:
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(watch.run())
            try:
                yield watch
            finally:
                watching.cancel()
    finally:
        gc.unfreeze()


def _held_to_budget(
    record: Callable[[Attempt], None], budget_usd: float | None, progress: Progress, stop: Stop
) -> Callable[[Attempt], None]:
    """Record, and send nothing more once the attempts have cost the budget; what is on the wire costs on top."""
    if budget_usd is None:
        return record

    def record_and_check(attempt: Attempt) -> None:
        record(attempt)
        ask_at_budget(budget_usd, progress, stop)

    return record_and_check


def ask_at_budget(budget_usd: float | None, progress: Progress, stop: Stop) -> None:
    """Ask the run to stop once the attempts have cost the budget."""
    if budget_usd is not None and progress.cost_usd >= budget_usd:
        stop.ask(Reason(what=f"the budget of ${budget_usd:g} is spent", remedy="raise the budget"))
