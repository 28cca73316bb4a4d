"""What runs a worker on a node: an actor that starts it, passes orders on, and hands out its reports and journal."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from asyncio.subprocess import PIPE
from contextlib import suppress

import msgspec

from harness import clock
from harness.endpoints.address import forget_aws, is_loopback
from harness.files import LONGEST_LINE
from harness.load.workers.link import deliver
from harness.load.workers.local import PATIENCE_S, PROGRAM, REPORT_LIMIT
from harness.secrets import redact, remember_environment

POLL_S = 0.1
"""The longest wait for news. With the 100 ms between two flushes of a journal, a row is here after about 200 ms."""
SILENCE_NS = 10_000_000_000
"""The main process is lost if it has not asked for news for so long. Ray takes longer to call a node lost, so what a
lost node was sending has ended before others send it."""
MOST_BYTES = 4 << 20
"""Of a journal, in one piece of news, if its lines are shorter."""
STARTED = 2
"""The number of the order that starts the load, after the one with the part. Only from then on are questions due."""
_ERRORS = 4000


class Place(msgspec.Struct, frozen=True):
    """Where a worker was started."""

    address: str
    """Of the node: an IP address."""
    journal: str
    """The path of the journal, in the worker."""


class News(msgspec.Struct, frozen=True):
    """What happened since the last news."""

    journal: bytes
    """Whole lines."""
    reports: list[bytes]
    exit_code: int | None
    """None: the worker runs, or there is more news."""
    errors: str
    """The end of the worker's stderr, once it has ended."""
    silent: bool
    """Whether it was ended because nobody asked for news."""


class Host:
    """Starts one worker, as a child process with a journal that has no name: it leaves nothing on the node's disk.

    Methods may be called again with the same arguments, as Ray does after a broken connection: orders are numbered, and
    news is kept until the next question acknowledges it.
    """

    def __init__(self, *, silence_ns: int = SILENCE_NS, piece_bytes: int = MOST_BYTES) -> None:
        self._silence_ns = silence_ns
        self._piece_bytes = piece_bytes
        with tempfile.TemporaryFile() as file:
            self._journal = os.dup(file.fileno())  # ends with the actor's process
        self._reports: list[bytes] = []
        self._forgotten = 0
        self._ordered = 0
        self._changed = asyncio.Event()
        self._asked_ns = clock.now_ns()
        self._exit_code: int | None = None
        self._errors = b""
        self._silent = False

    async def find_address(self) -> str:
        """The address of the node."""
        from ray.util import get_node_ip_address

        address: str = get_node_ip_address()  # type: ignore[no-untyped-call]
        return address

    async def start(self, url: str, address: str) -> Place:
        """Start the worker, with the node's own AWS settings; those are left out for an endpoint on loopback."""
        remember_environment()
        if is_loopback(url):
            forget_aws()
        self._process = await asyncio.create_subprocess_exec(
            *PROGRAM, stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=REPORT_LIMIT, pass_fds=(self._journal,)
        )
        self._tasks = [asyncio.create_task(each) for each in (self._follow(), self._watch())]
        return Place(address, f"/dev/fd/{self._journal}")

    async def read_clocks(self) -> clock.Origin:
        """The node's clocks."""
        return clock.read_origin()

    async def order(self, number: int, order: bytes) -> None:
        """Pass on a packed order, unless that was done already."""
        if number <= self._ordered:
            return
        self._ordered, self._asked_ns = number, clock.now_ns()
        await deliver(order, self._process)

    async def tell(self, journal: int, reports: int) -> News:
        """The news after so many bytes of the journal and so many reports; waits for some, but not long."""
        self._asked_ns = clock.now_ns()
        if reports > self._forgotten:
            del self._reports[: reports - self._forgotten]
            self._forgotten = reports
        if not self._reports and self._exit_code is None:
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._changed.wait()
        known, exit_code = list(self._reports), self._exit_code  # before the journal, which is written before them
        lines, more = self._read_lines(journal)
        if more:
            known, exit_code = [], None
        errors = "" if exit_code is None else redact(self._errors.decode(errors="replace"))
        return News(journal=lines, reports=known, exit_code=exit_code, errors=errors, silent=self._silent)

    def _read_lines(self, start: int) -> tuple[bytes, bool]:
        """Whole lines of the journal from a position on, and whether there are more of them."""
        size = self._piece_bytes
        while True:
            piece = os.pread(self._journal, size, start)
            end = piece.rfind(b"\n") + 1
            if end or len(piece) < size or size > LONGEST_LINE:
                return piece[:end], len(piece) == size
            size *= 4

    async def end(self) -> None:
        """End the worker: its stdin ends, so it cancels what is in flight and journals it. Kill it if that takes long.

        What it leaves can still be asked for.
        """
        if self._process.returncode is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.shield(self._tasks[0])
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
        await self._tasks[0]

    async def _follow(self) -> None:
        """Collect the worker's reports and errors until it has ended."""
        assert self._process.stdout is not None
        collecting = asyncio.create_task(self._collect_errors())
        while (line := await self._process.stdout.readline()).endswith(b"\n"):
            self._reports.append(line)
            self._changed.set()
        await collecting
        self._exit_code = await self._process.wait()
        self._changed.set()

    async def _collect_errors(self) -> None:
        assert self._process.stderr is not None
        while piece := await self._process.stderr.read(_ERRORS):
            self._errors = (self._errors + piece)[-_ERRORS:]

    async def _watch(self) -> None:
        """End a worker that sends if the main process is lost."""
        while self._exit_code is None:
            await asyncio.sleep(1)
            if self._ordered >= STARTED and clock.now_ns() - self._asked_ns > self._silence_ns:
                self._silent = True
                await self.end()
