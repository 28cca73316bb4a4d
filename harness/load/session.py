"""One load, from suite to journal: opens the clients, sends the plan, records every attempt, monitors the process."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from random import Random

import msgspec

from harness.endpoints import make_client
from harness.endpoints.address import make_connection
from harness.endpoints.base import Client, WireRequest
from harness.endpoints.reply import Reply
from harness.endpoints.request import build_request
from harness.errors import HarnessError
from harness.load.limits.budget import Budget, budget_of, with_reservation
from harness.load.limits.errors import TARGET_STOPPED, ErrorGuard, credentials_failed
from harness.load.limits.in_flight import Connections, InFlightLimit
from harness.load.limits.quota import make_admission
from harness.load.plan import MEASURE, Part, PlannedRequest
from harness.load.progress import Histogram, Progress, Tally
from harness.load.recorder import Recorder
from harness.load.runner import Send, run_plan
from harness.load.sender import Channel, Sender
from harness.load.stop import Stop
from harness.load.watch import Watch, allow_connections
from harness.store.client_health import ClientHealth
from harness.store.journal import Journal
from harness.store.records import Attempt
from harness.suite.suite import Suite

OPEN_POOL = 10_000
"""Connections per client for an open load without a limit on requests in flight; fewer if the limit on open files is
lower."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What a load needs to know about its run besides the suite. Small, since workers get it just before the start."""

    run_id: str
    seed: int
    origin_ns: int
    """The run's zero on CLOCK_MONOTONIC."""
    spent_usd: float = 0.0
    """Of the budget, before this load."""
    start_ns: int | None = None
    """When an open load starts, on CLOCK_MONOTONIC; the same for all parts. None: now."""


def start_progress(suite: Suite, counts: Mapping[str, int] | None, *, seed: int) -> Progress:
    """An empty tally for every target, with the planned number of requests if known.

    `counts`: from `count_requests`. HarnessError: the plan has no measured request.
    """
    if counts is not None and not counts[MEASURE]:
        raise HarnessError(f"with seed {seed} no request is due in {suite.load.duration_s:g} s; raise rate or duration")
    planned = None
    if counts is not None and suite.load.rates_per_s is None:
        planned = sum(counts.values()) // len(suite.targets)
    return Progress(planned=planned, tallies={target.name: Tally() for target in suite.targets})


@asynccontextmanager
async def open_channels(suite: Suite, url: str, stop: Stop) -> AsyncIterator[dict[str, Channel]]:
    """Open the clients and yield a channel for each target, by name. `url`: `aws` or an endpoint's URL.

    Targets share one client per (client, Region), whose pool holds all that can be in flight through it.
    EndpointError: no credentials, an invalid address, or more streams than the system can open.
    """
    async with AsyncExitStack() as stack:
        clients: dict[tuple[str, str], Client] = {}
        pools = {place: Connections(size) for place, size in _pool_sizes(suite).items()}
        for (name, region), pool in pools.items():
            connection = make_connection(
                url, region=region, pool_size=pool.size, connect_timeout_s=suite.timeouts.connect_s
            )
            clients[name, region] = await stack.enter_async_context(make_client(name, connection))
        stops = {target.name: stop.part() for target in suite.targets}
        yield {
            target.name: Channel(
                target=target,
                client=clients[target.client, target.region],
                connections=pools[target.client, target.region],
                admission=make_admission(suite.quota, target, stops[target.name]),
                in_flight_limit=InFlightLimit(suite.load.max_in_flight),
                stop=stops[target.name],
            )
            for target in suite.targets
        }


def _pool_sizes(suite: Suite) -> dict[tuple[str, str], int]:
    """Connections for each (client, Region): one for every request that its targets may have in flight."""
    sharing = Counter((target.client, target.region) for target in suite.targets)
    load = suite.load
    in_flight = load.concurrency if load.arrival == "closed" else load.max_in_flight
    if in_flight is not None:
        allow_connections(in_flight * sharing.total())
        return {place: in_flight * targets for place, targets in sharing.items()}
    possible = allow_connections(OPEN_POOL * len(sharing), at_least=len(sharing))
    return dict.fromkeys(sharing, possible // len(sharing))


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A part of a load that is ready to send from this process."""

    job: Job
    part: Part
    channels: Mapping[str, Channel]
    """By target."""
    progress: Progress
    stop: Stop
    budget: Budget | None = None
    guard: ErrorGuard | None = None
    """Stops targets. None: in a worker, which is told what to stop."""


def start_session(job: Job, part: Part, channels: Mapping[str, Channel], progress: Progress, stop: Stop) -> Session:
    """A session that sends the whole load from this process."""

    def stop_target(name: str) -> None:
        channels[name].stop.request(TARGET_STOPPED)

    return Session(
        job=job,
        part=part,
        channels=channels,
        progress=progress,
        stop=stop,
        budget=budget_of(part.suite, spent_usd=job.spent_usd),
        guard=ErrorGuard(
            part.suite, progress.stopped, has_sent_all=progress.has_sent_all, stop_target=stop_target, stop=stop
        ),
    )


async def send_part(session: Session, journal: Path) -> ClientHealth:
    """Send the part and record every attempt in `journal`; returns this process's health."""
    async with Journal(journal) as opened:
        return await run_load(session, opened.record)


async def run_load(session: Session, write: Callable[[Attempt], object]) -> ClientHealth:
    """Send the part until it ends or a stop is requested; returns this process's health. `write` gets every attempt."""
    job, part, channels, suite = session.job, session.part, session.channels, session.part.suite
    send = make_send(session, write)
    async with watch_process(channels, session.progress.lag) as watch:
        await run_plan(
            lambda: part.rounds(seed=job.seed),
            send,
            suite.load,
            start_ns=job.start_ns,
            targets=[target.name for target in suite.targets],
            stop=session.stop,
            stop_of={name: channel.stop for name, channel in channels.items()},
        )
    limits = {name: channel.in_flight_limit for name, channel in channels.items()}
    held_back = {name: each.waits for name, each in limits.items() if each.limit is not None}
    budget = session.budget
    return msgspec.structs.replace(
        watch.result(worker=part.index),
        held_back=held_back,
        held_back_by_budget=None if budget is None else budget.waits,
    )


def make_send(session: Session, write: Callable[[Attempt], object]) -> Send:
    """A function that sends one planned request and passes each of its attempts to `write`.

    Requests with documents or images are built now, so that no file is read during the load.
    """
    job, part, channels, progress, stop = session.job, session.part, session.channels, session.progress, session.stop
    suite, prompts = part.suite, {prompt.id: prompt for prompt in part.suite.prompts}
    rng = Random(f"{job.seed}/backoff/{part.index}")
    sender = Sender(retries=suite.retries, timeouts=suite.timeouts, rng=rng, stop=stop, budget=session.budget)
    recorder = Recorder(suite, run_id=job.run_id, origin_ns=job.origin_ns, write=write, progress=progress)

    @cache
    def request_for(target: str, prompt_id: str) -> WireRequest:
        to, prompt = channels[target].target, prompts[prompt_id]
        request = build_request(to, prompt)
        return request if session.budget is None else with_reservation(request, to, prompt, suite.prices)

    async def send(planned: PlannedRequest, due_ns: int, on_wire: asyncio.Event | None = None) -> None:
        channel, tally = channels[planned.target], progress.tallies[planned.target]
        async with channel.in_flight_limit:
            if channel.stop.requested:
                return
            tally.in_flight += 1
            tried = True
            try:
                request = request_for(planned.target, planned.prompt_id)
                on_attempt = partial(recorder.record, planned, due_ns)
                reply = await sender.send(channel, request, due_ns, on_attempt, on_wire, planned.tries)
                tried = reply is not None
            finally:
                tally.in_flight -= 1
                tally.done += tried
            if reply is not None:
                count_reply(session, planned, reply)

    for prompt in suite.prompts:
        if prompt.documents or prompt.images:
            for name in channels:
                request_for(name, prompt.id)
    return send


def count_reply(session: Session, planned: PlannedRequest, reply: Reply) -> None:
    """Count a request by the reply to its last attempt, and stop what the reply says cannot go on."""
    kind = reply.error_kind
    if kind == "credentials":
        target = session.channels[planned.target].target
        session.stop.request(credentials_failed(target.name, target.region, reply))
    if planned.phase != MEASURE or kind == "cancelled":
        return
    tally = session.progress.tallies[planned.target]
    tally.measured += 1
    if kind is not None:
        tally.failures[kind] = tally.failures.get(kind, 0) + 1
    if session.guard is not None:
        session.guard.count(planned.target, 1, {} if kind is None else {kind: 1})


@asynccontextmanager
async def watch_process(channels: Mapping[str, Channel], lag: Histogram) -> AsyncIterator[Watch]:
    """Monitor this process inside the context, and exempt the objects that already exist from garbage collection.

    `lag` gets every sample of the event loop's lag.
    """
    gc.collect()
    gc.freeze()
    watch = Watch({channel.connections for channel in channels.values()}, lag=lag)
    try:
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(watch.run())
            try:
                yield watch
            finally:
                watching.cancel()
    finally:
        gc.unfreeze()
