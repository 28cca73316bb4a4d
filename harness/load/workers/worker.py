"""A worker process, started by `pool`: it reads orders from stdin and writes reports to stdout."""

from __future__ import annotations

import signal

if __name__ == "__main__":
    for _each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # before the slow imports
        signal.signal(_each, signal.SIG_IGN)  # sent to the whole group; the main process passes them on

import asyncio
import os
import pickle
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO, cast

import msgspec

from harness.errors import HarnessError, first_leaf
from harness.load.plan import Part
from harness.load.progress import Histogram, Progress, Tally
from harness.load.session import Job, Session, open_channels, send_part
from harness.load.stop import INTERRUPTED, Reason, Stop
from harness.secrets import RedactedStream, redact, remember_environment
from harness.store.client_health import ClientHealth

STOP = b"s"
"""The last order: finish the requests in flight. If stdin ends without it: stop immediately."""
REPORT_S = 0.1
PIPE_LIMIT = 1 << 20


class ReadyReport(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    """The clients are open."""


class ProgressReport(msgspec.Struct, frozen=True, kw_only=True, tag="counted"):
    """The worker's counts so far: by target, and of its event loop."""

    tallies: dict[str, Tally]
    lag: Histogram


class EndReport(msgspec.Struct, frozen=True, kw_only=True, tag="ended"):
    """The part was sent and journaled."""

    health: ClientHealth
    reason: Reason | None
    """Why the worker ended early, if it did."""


class ErrorReport(msgspec.Struct, frozen=True, kw_only=True, tag="broke"):
    """An error that the user can fix."""

    message: str
    exit_code: int


Report = ReadyReport | ProgressReport | EndReport | ErrorReport
decode_report = msgspec.json.Decoder(Report).decode
encode_report = msgspec.json.Encoder().encode


def pack(order: tuple[Part, str] | tuple[Job, Path]) -> bytes:
    """An order on the pipe: its length in 8 bytes, then a pickle (both ends are this program).

    The first order, (part, URL), opens the clients. The second, (job, journal), starts the load, and is small because
    the load starts once the last worker has read it.
    """
    data = pickle.dumps(order)
    return len(data).to_bytes(8, "big") + data


async def unpack(pipe: asyncio.StreamReader) -> Any:
    """Read the next order. asyncio.IncompleteReadError: the main process is gone."""
    return pickle.loads(await pipe.readexactly(int.from_bytes(await pipe.readexactly(8), "big")))


async def work() -> None:
    """Open the clients, send the part, report the outcome. Cancelled when stdin ends."""
    pipe = asyncio.StreamReader(limit=PIPE_LIMIT)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(pipe), sys.stdin)
    try:
        part, url = await unpack(pipe)
        stop = Stop()
        async with open_channels(part.suite, url, stop) as channels:
            _report(ReadyReport())
            job, journal = await unpack(pipe)
            progress = Progress(planned=None, tallies={name: Tally() for name in channels})
            session = Session(job=job, part=part, channels=channels, progress=progress, stop=stop)
            async with asyncio.TaskGroup() as tasks:
                main = tasks.create_task(send_part(session, journal))
                others = [tasks.create_task(_obey(pipe, stop, main)), tasks.create_task(_count(progress))]
                health = await main
                for each in others:
                    each.cancel()
            _report(ProgressReport(tallies=progress.tallies, lag=progress.lag))
            _report(EndReport(health=health, reason=stop.reason))
    except asyncio.IncompleteReadError:
        return  # the main process was gone before anything was sent
    except (HarnessError, BaseExceptionGroup) as raised:
        error = first_leaf(raised)
        if not isinstance(error, HarnessError):
            raise
        _report(ErrorReport(message=redact(str(error)), exit_code=error.exit_code))


async def _obey(pipe: asyncio.StreamReader, stop: Stop, main: asyncio.Task[object]) -> None:
    if await pipe.read(1) == STOP:
        stop.request(INTERRUPTED)
        await pipe.read(1)
    main.cancel()


async def _count(progress: Progress) -> None:
    while True:
        await asyncio.sleep(REPORT_S)
        _report(ProgressReport(tallies=progress.tallies, lag=progress.lag))


def _report(report: Report) -> None:
    """Write one line to the pipe, which may have no reader any more."""
    try:
        os.write(1, encode_report(report) + b"\n")
    except OSError:
        return


if __name__ == "__main__":
    import uvloop

    remember_environment()
    sys.stderr = cast(TextIO, RedactedStream(sys.stderr))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, suppress(asyncio.CancelledError):
        runner.run(work())  # cancelled: stopped by the main process, with all attempts journaled
