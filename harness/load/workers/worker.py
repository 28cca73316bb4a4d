"""A worker process, started by `pool`: it reads orders from stdin and writes reports to stdout."""

from __future__ import annotations

import signal

if __name__ == "__main__":
    for _each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # before the slow imports
        signal.signal(_each, signal.SIG_IGN)  # sent to the whole group; the main process passes them on

import asyncio
import os
import sys
from contextlib import suppress
from typing import TextIO, cast

import msgspec

from harness.errors import HarnessError, first_leaf
from harness.load.limits.errors import TARGET_STOPPED
from harness.load.progress import Progress, Tally
from harness.load.session import Session, open_channels, send_part
from harness.load.stop import INTERRUPTED, Stop
from harness.load.workers.messages import (
    EndReport,
    ErrorReport,
    ProgressReport,
    ReadyReport,
    Report,
    StartOrder,
    StopOrder,
    encode_report,
    unpack,
)
from harness.load.workers.shares import GiveBack, Grant, Share
from harness.secrets import RedactedStream, redact, remember_environment

REPORT_S = 0.1
PIPE_LIMIT = 1 << 20


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
            start: StartOrder = await unpack(pipe)
            progress = Progress(planned=None, tallies={name: Tally() for name in channels})
            share = None if start.share is None else Share(start.share)
            session = Session(
                job=start.job,
                part=part,
                channels=channels,
                progress=progress,
                stop=stop,
                budget=None if share is None else share.budget,
            )
            async with asyncio.TaskGroup() as tasks:
                main = tasks.create_task(send_part(session, start.journal))
                obeying = tasks.create_task(_obey(pipe, session, share, main))
                counting = tasks.create_task(_count(session, share))
                health = await main
                obeying.cancel()
                counting.cancel()
            _report(msgspec.structs.replace(_progress_report(session, share), last=True))
            _report(EndReport(health=health))
    except asyncio.IncompleteReadError:
        return  # the main process was gone before anything was sent
    except (HarnessError, BaseExceptionGroup) as raised:
        error = first_leaf(raised)
        if not isinstance(error, HarnessError):
            raise
        _report(ErrorReport(message=redact(str(error)), exit_code=error.exit_code))


async def _obey(pipe: asyncio.StreamReader, session: Session, share: Share | None, main: asyncio.Task[object]) -> None:
    with suppress(asyncio.IncompleteReadError):
        while True:
            match await unpack(pipe):
                case StopOrder(target=None):
                    session.stop.request(INTERRUPTED)
                case StopOrder(target=str(name)):
                    session.channels[name].stop.request(TARGET_STOPPED)
                case Grant() | GiveBack() as order if share is not None:
                    share.obey(order)
    main.cancel()


async def _count(session: Session, share: Share | None) -> None:
    while True:
        await asyncio.sleep(REPORT_S)
        _report(_progress_report(session, share))


def _progress_report(session: Session, share: Share | None) -> ProgressReport:
    progress, reason = session.progress, session.stop.reason
    return ProgressReport(
        tallies=progress.tallies,
        lag=progress.lag,
        share=None if share is None else share.report(),
        reason=None if reason is INTERRUPTED else reason,
    )


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
