"""The sending loop: starts the plan's rounds when a slot is free (closed) or when they are due (open)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Protocol

import msgspec

from harness import clock
from harness.load.plan import WARMUP, PlannedRequest, Round
from harness.load.stop import Alarm, Stop
from harness.suite.suite import Load

SLOT_APART_NS = 100_000_000
SPREAD_NS = 1_000_000_000
LEAST_APART_NS = 1_000_000
"""Slots start 100 ms apart, all within a second. In lockstep, they would queue behind each other in the client.

Once an answer has come, the remaining slots start at the rate at which all of them will send from then on, one for each
`concurrency`-th part of the time that the answer took, but at least 1 ms apart.
"""

HANDOVER_S = 0.05
"""A slot sends its requests one after the other: the next is due when the previous one is on the wire, or after this
time. That way no target's latency includes the cost of sending to the others."""

ROUNDS_IN_A_ROW = 64
"""The most rounds started without yielding to the loop. An open load that is behind schedule never sleeps, so requests,
answers and Ctrl-C would starve."""


class Send(Protocol):
    """Sends one planned request with its retries, and returns when it is complete."""

    async def __call__(self, planned: PlannedRequest, due_ns: int, on_wire: asyncio.Event | None = None) -> None:
        """`due_ns`: on CLOCK_MONOTONIC. `on_wire` is set once the first attempt was handed to the socket, or failed."""
        ...


async def run_plan(
    plan: Callable[[], Iterator[Round]],
    send: Send,
    load: Load,
    *,
    start_ns: int | None = None,
    targets: list[str],
    stop: Stop,
    stop_of: Mapping[str, Stop] | None = None,
) -> None:
    """Send the whole plan. `plan` returns the same rounds on every call, the warm-up first.

    `stop_of`: by target, ends the slots that are its own. Where targets share slots, `send` leaves it out.

    Closed load: the warm-up completes before the first measured round starts. Open load: the warm-up is the head of the
    schedule, which starts at `start_ns` or now.
    """
    if load.arrival != "closed":
        return await _run_open(plan(), send, clock.now_ns() if start_ns is None else start_ns, stop)
    async with asyncio.TaskGroup() as pools:
        for name in [None] if load.paired else targets:
            own_stop = stop if name is None or stop_of is None else stop_of[name]
            pools.create_task(_run_closed(_only(plan(), name), send, load, own_stop))
    return None


async def _run_open(rounds: Iterator[Round], send: Send, start_ns: int, stop: Stop) -> None:
    """Start every request when it is due, however many are in flight."""
    async with asyncio.TaskGroup() as in_flight:
        with Alarm() as alarm:
            for number, each in enumerate(rounds, start=1):
                assert each.offset_s is not None, "open arrivals have due times"
                due_ns = start_ns + int(each.offset_s * 1e9)
                await stop.sleep_until(due_ns, alarm)
                if stop.requested:
                    return
                for planned in each.requests:
                    in_flight.create_task(send(planned, due_ns))
                if number % ROUNDS_IN_A_ROW == 0:
                    await asyncio.sleep(0)


async def _run_closed(rounds: Iterator[Round], send: Send, load: Load, stop: Stop) -> None:
    """`concurrency` slots: each takes a round, sends it to its targets and is free once all have answered."""
    warmup, measured = _split(rounds)
    if warmup:
        await _slots(iter(warmup), send, load.concurrency, until_ns=None, stop=stop)
    until_ns = None if load.duration_s is None else clock.now_ns() + int(load.duration_s * 1e9)
    await _slots(measured, send, load.concurrency, until_ns=until_ns, stop=stop)


def _split(rounds: Iterator[Round]) -> tuple[list[Round], Iterator[Round]]:
    """The warm-up, and the rounds behind it."""
    warmup: list[Round] = []
    for each in rounds:
        if each.phase != WARMUP:
            return warmup, chain((each,), rounds)
        warmup.append(each)
    return warmup, rounds


async def _slots(rounds: Iterator[Round], send: Send, concurrency: int, *, until_ns: int | None, stop: Stop) -> None:
    first_took_ns: int | None = None
    planned = True

    async def slot() -> None:
        nonlocal first_took_ns, planned
        while not stop.requested and (until_ns is None or clock.now_ns() < until_ns):
            each = next(rounds, None)
            if each is None:
                planned = False
                return
            taken_ns = clock.now_ns()
            if len(each.requests) == 1:
                await send(each.requests[0], taken_ns)  # without a task, so that it is sent right now
            else:
                await _send_round(each, send)
            if first_took_ns is None:
                first_took_ns = clock.now_ns() - taken_ns

    due_ns = clock.now_ns()
    async with asyncio.TaskGroup() as slots:
        for _ in range(concurrency):
            await stop.sleep_until(due_ns)
            if not planned:
                return
            slots.create_task(slot())
            due_ns += _apart_ns(concurrency, first_took_ns)


def _apart_ns(concurrency: int, first_took_ns: int | None) -> int:
    """From the start of one slot to that of the next. `first_took_ns`: how long the first round took, if it is over."""
    apart_ns = min(SLOT_APART_NS, SPREAD_NS // concurrency)
    if first_took_ns is None:
        return apart_ns
    return min(apart_ns, max(LEAST_APART_NS, first_took_ns // concurrency))


async def _send_round(each: Round, send: Send) -> None:
    """Send a round's requests one after the other; returns when all are answered."""
    async with asyncio.TaskGroup() as together:
        for planned in each.requests:
            on_wire = asyncio.Event()
            together.create_task(send(planned, clock.now_ns(), on_wire))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HANDOVER_S):
                    await on_wire.wait()


def _only(rounds: Iterator[Round], target: str | None) -> Iterator[Round]:
    """The rounds that have a request to the target, without any others. None: unchanged."""
    if target is None:
        return rounds
    own = ((each, tuple(one for one in each.requests if one.target == target)) for each in rounds)
    return (msgspec.structs.replace(each, requests=requests) for each, requests in own if requests)
