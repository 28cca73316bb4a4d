"""What a run's main process and its workers say to each other: orders down a worker's stdin, reports up its stdout."""

from __future__ import annotations

import asyncio
import pickle
from pathlib import Path
from typing import Any

import msgspec

from harness.load.recorder import Tally
from harness.load.shards import Shard
from harness.load.stop import Reason
from harness.store.client_health import ClientHealth
from harness.suite.suite import Suite

STOP = b"s"
"""The last order: finish what is on the wire. The end of stdin without it: stop at once."""


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """The first order: open the clients of this part of a suite."""

    suite: Suite
    url: str
    shard: Shard


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """The second order: send the part as a `Job` of these, and journal it here. Small, since it must not take long."""

    run_id: str
    seed: int
    origin_ns: int
    start_ns: int
    journal: Path


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    """The clients are open and warm."""


class Counted(msgspec.Struct, frozen=True, kw_only=True, tag="counted"):
    """The worker's tallies so far, by target."""

    tallies: dict[str, Tally]


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag="ended"):
    """The part is sent and journaled."""

    health: ClientHealth
    reason: Reason | None
    """Why it ended early, if it did by itself."""


class Broke(msgspec.Struct, frozen=True, kw_only=True, tag="broke"):
    """An error that a user can mend."""

    message: str
    exit_code: int


Report = Ready | Counted | Ended | Broke
decode_report = msgspec.json.Decoder(Report).decode
encode_report = msgspec.json.Encoder().encode


def pack(order: Opening | Sending) -> bytes:
    """An order as it goes down the pipe: its length, eight bytes, and a pickle (both ends are this program)."""
    data = pickle.dumps(order)
    return len(data).to_bytes(8, "big") + data


async def unpack(pipe: asyncio.StreamReader) -> Any:
    """The next order. asyncio.IncompleteReadError: the main process is gone."""
    return pickle.loads(await pipe.readexactly(int.from_bytes(await pipe.readexactly(8), "big")))
