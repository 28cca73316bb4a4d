"""The link to a worker, wherever that runs: orders go to it, reports come from it."""

from __future__ import annotations

from asyncio.subprocess import Process
from contextlib import suppress
from typing import Protocol

from harness.errors import HarnessError
from harness.load.workers.messages import ErrorReport, Order, Report, decode_report


class Link(Protocol):
    """A worker that was started and told its part of the load."""

    index: int
    """Of its part."""

    async def order(self, order: Order) -> None:
        """Send an order. If the worker is gone, reading its next report raises the error."""
        ...

    async def next_report(self) -> Report:
        """Wait for the next report. HarnessError: the worker's error; RunInvalid: the worker is gone."""
        ...

    async def end(self) -> None:
        """End the worker, which cancels what it has in flight and journals it. Kill it if it does not end in time."""
        ...


async def deliver(order: bytes, process: Process) -> None:
    """Write a packed order to a worker's stdin, unless the worker has ended."""
    stdin = process.stdin
    assert stdin is not None
    if stdin.is_closing():  # uvloop would raise RuntimeError
        return
    with suppress(ConnectionError):
        stdin.write(order)
        await stdin.drain()


def read_report(line: bytes) -> Report:
    """Decode a report. HarnessError: it is the worker's error."""
    report: Report = decode_report(line)
    if isinstance(report, ErrorReport):
        error = HarnessError(report.message)
        error.exit_code = report.exit_code
        raise error
    return report
