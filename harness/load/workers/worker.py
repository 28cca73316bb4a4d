"""One process of a load that several share, started by `pool`, which it talks with by pipe."""

from __future__ import annotations

import signal

if __name__ == "__main__":
    for _each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # before what takes long to import
        signal.signal(_each, signal.SIG_IGN)  # they go to the whole group: the main process passes on what they mean

import asyncio
import os
import sys
from contextlib import suppress
from typing import TextIO, cast

from harness.errors import HarnessError, first_leaf
from harness.load.recorder import Progress, Tally
from harness.load.session import Job, open_lanes, send_part
from harness.load.stop import INTERRUPTED, Stop
from harness.load.workers.messages import (
    STOP,
    Broke,
    Counted,
    Ended,
    Opening,
    Ready,
    Report,
    Sending,
    encode_report,
    unpack,
)
from harness.secrets import RedactedStream, redact, remember_environment

REPORT_S = 0.1
PIPE_LIMIT = 1 << 20


async def work() -> None:
    """Obey: open the clients, send the part, report what came of it. The end of stdin ends it at once."""
    pipe = asyncio.StreamReader(limit=PIPE_LIMIT)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(pipe), sys.stdin)
    try:
        opening: Opening = await unpack(pipe)
        stop = Stop()
        async with open_lanes(opening.suite, opening.url, stop) as lanes:
            _report(Ready())
            sending: Sending = await unpack(pipe)
            job = Job(
                run_id=sending.run_id,
                suite=opening.suite,
                seed=sending.seed,
                origin_ns=sending.origin_ns,
                shard=opening.shard,
                start_ns=sending.start_ns,
            )
            progress = Progress(planned=None, tallies={name: Tally() for name in lanes})
            async with asyncio.TaskGroup() as tasks:
                main = tasks.create_task(send_part(job, lanes, sending.journal, progress, stop))
                others = [tasks.create_task(_obey(pipe, stop, main)), tasks.create_task(_count(progress))]
                health = await main
                for each in others:
                    each.cancel()
            _report(Counted(tallies=progress.tallies))
            _report(Ended(health=health, reason=stop.reason))
    except asyncio.IncompleteReadError:
        return  # the main process is gone before anything was sent
    except (HarnessError, BaseExceptionGroup) as raised:
        error = first_leaf(raised)
        if not isinstance(error, HarnessError):
            raise
        _report(Broke(message=redact(str(error)), exit_code=error.exit_code))


async def _obey(pipe: asyncio.StreamReader, stop: Stop, main: asyncio.Task[object]) -> None:
    if await pipe.read(1) == STOP:
        stop.ask(INTERRUPTED)
        await pipe.read(1)
    main.cancel()


async def _count(progress: Progress) -> None:
    while True:
        await asyncio.sleep(REPORT_S)
        _report(Counted(tallies=progress.tallies))


def _report(report: Report) -> None:
    """One line up the pipe; nobody may be there to read it any more."""
    try:
        os.write(1, encode_report(report) + b"\n")
    except OSError:
        return


if __name__ == "__main__":
    import uvloop

    remember_environment()
    sys.stderr = cast(TextIO, RedactedStream(sys.stderr))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, suppress(asyncio.CancelledError):
        runner.run(work())  # cancelled: told to end at once, and what it has is journaled
