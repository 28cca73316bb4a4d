"""What the main process and its workers tell each other: orders on a worker's stdin, reports on its stdout.

In a module of their own, since `worker` runs as `__main__`, whose classes are not those that the main process pickles.
"""

from __future__ import annotations

import asyncio
import pickle
from pathlib import Path
from typing import Any

import msgspec

from harness.load.plan import Part
from harness.load.progress import Histogram, Tally
from harness.load.session import Job
from harness.load.stop import Reason
from harness.load.workers.shares import GiveBack, Grant, ShareReport
from harness.store.client_health import ClientHealth, LostNode


class ReadyReport(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    """The clients are open."""


class ProgressReport(msgspec.Struct, frozen=True, kw_only=True, tag="counted"):
    """The worker's counts so far: by target, and of its event loop."""

    tallies: dict[str, Tally]
    lag: Histogram
    share: ShareReport | None = None
    """Of the budget, if there is one."""
    reason: Reason | None = None
    """Why the worker ends early, if it does."""
    last: bool = False
    """Nothing is left to stop."""
    lost_nodes: tuple[LostNode, ...] = ()
    """Nodes of a cluster that had sent this part."""


class EndReport(msgspec.Struct, frozen=True, kw_only=True, tag="ended"):
    """The part was sent and journaled."""

    health: ClientHealth


class ErrorReport(msgspec.Struct, frozen=True, kw_only=True, tag="broke"):
    """An error that the user can fix."""

    message: str
    exit_code: int


Report = ReadyReport | ProgressReport | EndReport | ErrorReport
decode_report = msgspec.json.Decoder(Report).decode
encode_report = msgspec.json.Encoder().encode


class StopOrder(msgspec.Struct, frozen=True):
    """Finish the requests in flight, of one target or of all. If stdin ends without it: stop immediately."""

    target: str | None = None


class StartOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Start the load. Small, because the load starts once the last worker has read it."""

    job: Job
    journal: Path
    share: int | None
    """Of the budget, nanodollars. None: there is no budget."""


Order = tuple[Part, str] | StartOrder | StopOrder | Grant | GiveBack


def pack(order: Order) -> bytes:
    """An order on the pipe: its length in 8 bytes, then a pickle (both ends are this program).

    The first order, (part, URL), opens the clients; the second starts the load.
    """
    data = pickle.dumps(order)
    return len(data).to_bytes(8, "big") + data


async def unpack(pipe: asyncio.StreamReader) -> Any:
    """Read the next order. asyncio.IncompleteReadError: the main process is gone."""
    return pickle.loads(await pipe.readexactly(int.from_bytes(await pipe.readexactly(8), "big")))
