"""Workers that are child processes of this one."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress

from harness.errors import RunInvalid
from harness.load.plan import Part
from harness.load.workers.link import deliver, read_report
from harness.load.workers.messages import Order, Report, pack

PROGRAM = (sys.executable, "-P", "-m", "harness.load.workers.worker")
PATIENCE_S = 10.0
"""How long a worker gets to cancel its requests and journal them before it is killed."""
REPORT_LIMIT = 1 << 24


class LocalWorker:
    """A `Link` to a child process. It also ends when this process does, however that ends."""

    def __init__(self, index: int, process: Process) -> None:
        self.index = index
        self._process = process

    async def order(self, order: Order) -> None:
        await deliver(pack(order), self._process)

    async def next_report(self) -> Report:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line.endswith(b"\n"):
            code = await self._process.wait()
            raise RunInvalid(f"worker {self.index} ended before it had sent its part of the load (exit code {code})")
        return read_report(line)

    async def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._process.communicate()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


async def start_local_worker(url: str, part: Part) -> LocalWorker:
    """Start a worker, which opens its clients. `url`: `aws` or an endpoint's URL."""
    process = await asyncio.create_subprocess_exec(*PROGRAM, stdin=PIPE, stdout=PIPE, limit=REPORT_LIMIT)
    worker = LocalWorker(part.index, process)
    await worker.order((part, url))
    return worker
