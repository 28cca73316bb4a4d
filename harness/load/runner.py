"""The loop that sends: hands out the plan's rounds, by slots (closed) or by the schedule (open)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Protocol

import msgspec

from harness import clock
from harness.load.plan import Planned, Round
from harness.load.stop import Alarm, Stop
from harness.suite.suite import Load

SLOT_APART_NS = 100_000_000
SPREAD_NS = 1_000_000_000
"""Slots start 100 ms apart, all within a second: slots in step would queue behind each other in the client."""

HANDOVER_S = 0.05
"""A slot hands its requests over one after the other: the next is due once the one before is on the wire, or this much
later. So no target is charged with what it costs to send to the others."""

ROUNDS_IN_A_ROW = 64
"""Rounds handed out in a row at most: an open load that is behind its schedule waits for nothing, and what it handed
out, answers and Ctrl-C would never get a turn."""


class Send(Protocol):
    """Sends a request of the plan, with its retries, and returns when it is over."""

    async def __call__(self, planned: Planned, due_ns: int, on_wire: asyncio.Event | None = None) -> None:
        """`due_ns`: on CLOCK_MONOTONIC. `on_wire` is set when the first attempt was handed to the socket, or failed."""
        ...


async def run_plan(
    plan: Callable[[], Iterator[Round]],
    send: Send,
    load: Load,
    *,
    warmup: int,
    start_ns: int | None = None,
    targets: list[str],
    stop: Stop,
) -> None:
    """Send the whole plan. `plan` gives the same rounds each time it is called; `warmup` of them are its warm-up.

    Closed load: warm-up is over before the first measured round starts. Open load: warm-up is the head of the schedule,
    which begins at `start_ns`, or at once.
    """
    if load.arrival != "closed":
        return await _run_open(plan(), send, clock.now_ns() if start_ns is None else start_ns, stop)
    async with asyncio.TaskGroup() as pools:
        for name in [None] if load.paired else targets:
            pools.create_task(_run_closed(_only(plan(), name), send, load, warmup, stop))
    return None


async def _run_open(rounds: Iterator[Round], send: Send, start_ns: int, stop: Stop) -> None:
    """Every request starts when it is due, however many are still in flight."""
    async with asyncio.TaskGroup() as in_flight:
        with Alarm() as alarm:
            for number, each in enumerate(rounds, start=1):
                assert each.offset_s is not None, "open arrivals have due times"
                due_ns = start_ns + int(each.offset_s * 1e9)
                await stop.sleep_until(due_ns, alarm)
                if stop.asked:
                    return
                for planned in each.requests:
                    in_flight.create_task(send(planned, due_ns))
                if number % ROUNDS_IN_A_ROW == 0:
                    await asyncio.sleep(0)


async def _run_closed(rounds: Iterator[Round], send: Send, load: Load, warmup: int, stop: Stop) -> None:
    """`concurrency` slots; each takes a round, sends it to its targets and is free when all have answered."""
    if warmup:
        head = iter(list(islice(rounds, warmup)))
        await _slots(head, send, load.concurrency, until_ns=None, stop=stop)
    until_ns = None if load.duration_s is None else clock.now_ns() + int(load.duration_s * 1e9)
    await _slots(rounds, send, load.concurrency, until_ns=until_ns, stop=stop)


async def _slots(rounds: Iterator[Round], send: Send, concurrency: int, *, until_ns: int | None, stop: Stop) -> None:
    async def slot(number: int) -> None:
        await stop.sleep_until(clock.now_ns() + number * apart_ns)
        while not stop.asked and (until_ns is None or clock.now_ns() < until_ns):
            each = next(rounds, None)
            if each is None:
                return
            if len(each.requests) == 1:
                await send(each.requests[0], clock.now_ns())  # no task of its own: sent in this very moment
            else:
                await _hand_over(each, send)

    apart_ns = min(SLOT_APART_NS, SPREAD_NS // concurrency)
    async with asyncio.TaskGroup() as slots:
        for number in range(concurrency):
            slots.create_task(slot(number))


async def _hand_over(each: Round, send: Send) -> None:
    """Send a round's requests one after the other, and return when all have been answered."""
    async with asyncio.TaskGroup() as together:
        for planned in each.requests:
            on_wire = asyncio.Event()
            together.create_task(send(planned, clock.now_ns(), on_wire))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HANDOVER_S):
                    await on_wire.wait()


def _only(rounds: Iterator[Round], target: str | None) -> Iterator[Round]:
    """The rounds with one target's requests only; all of them for None."""
    if target is None:
        return rounds
    return (
        msgspec.structs.replace(each, requests=tuple(one for one in each.requests if one.target == target))
        for each in rounds
    )
