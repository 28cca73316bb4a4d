"""Worker processes for the user's check functions: one per file, reused for all answers, killed on a timeout."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from harness.scoring.scorer import Call, FunctionResult, Unscored
from harness.secrets import redact
from harness.suite.suite import CheckFile

PROGRAM = Path(__file__).with_name("worker.py")
START_LIMIT_S = 20.0
"""Timeout for starting the process and importing the file."""
END_LIMIT_S = 5.0
MEMORY_BYTES = 4 * 2**30
"""Limit of a worker's address space, where the system supports one."""
MAX_REPLY_BYTES = 2**20
NOT_RUN = (
    "not graded: check functions are never run from a run's folder; "
    "use `harness report RUN --suite FILE` to run those of your own suite"
)
KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT")
"""The only environment variables that a worker sees; none of them holds a credential."""


_reply = msgspec.json.Decoder(FunctionResult)


class Workers:
    """One worker per check file of the user's suite, each started when it is first needed."""

    def __init__(self, files: Sequence[CheckFile]) -> None:
        self._workers = {file.name: Worker(file) for file in files}

    def has(self, file: str, digest: str) -> bool:
        """Whether the user gave this version of the file."""
        worker = self._workers.get(file)
        return worker is not None and worker.file.source is not None and worker.file.digest == digest

    async def run(self, call: Call, digest: str) -> FunctionResult:
        """Grade an answer with a function of the file that has this digest.

        Raises Unscored, and runs nothing, if the user gave no such file or another version of it.
        """
        worker = self._workers.get(call.file)
        if worker is None or worker.file.source is None:
            raise Unscored(NOT_RUN)
        if worker.file.digest != digest:
            raise Unscored(f"{call.file} has changed since the run was made; restore it, or run the suite again")
        if call.function not in worker.file.functions:
            raise Unscored(f"{call.file} has no function {call.function!r} at its top level")
        return await worker.run(call)

    async def close(self) -> None:
        for worker in self._workers.values():
            await worker.kill()


@asynccontextmanager
async def open_workers(files: Sequence[CheckFile]) -> AsyncIterator[Workers]:
    """Workers that are killed on exit."""
    workers = Workers(files)
    try:
        yield workers
    finally:
        await workers.close()


class Worker:
    """The process of one check file; it grades one answer at a time."""

    def __init__(self, file: CheckFile) -> None:
        self.file = file
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._broken: str | None = None
        """Why the file cannot be loaded; it is not tried again."""

    async def run(self, call: Call) -> FunctionResult:
        """Run one call. Waiting for the process does not count towards the timeout."""
        async with self._turn:
            try:
                if self._process is None and self._broken is None:
                    await self._start()
                if self._broken is not None:
                    return FunctionResult(error=self._broken)
                return await self._exchange(_request(call), call.timeout_s)
            except BaseException:
                await self.kill()  # its next reply would belong to the abandoned call
                raise

    async def _start(self) -> None:
        assert self.file.source is not None
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", str(PROGRAM)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ},
            start_new_session=True,
            limit=MAX_REPLY_BYTES,
        )
        source = self.file.source.decode("utf-8-sig")
        first = {"source": source, "name": self.file.name, "memory_bytes": MEMORY_BYTES}
        started = await self._exchange(first, START_LIMIT_S)
        if started.error is not None:
            self._broken = f"{self.file.name} cannot be loaded: {started.error}"
            await self.kill()

    async def _exchange(self, request: Mapping[str, Any], timeout_s: float) -> FunctionResult:
        """Send one line and read one back. On a failure the process is killed; the next call starts another."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            async with asyncio.timeout(timeout_s):
                process.stdin.write(msgspec.json.encode(request) + b"\n")
                await process.stdin.drain()
                line = await process.stdout.readline()
                if line:
                    return _reply.decode(redact(line.decode()))
                code = await process.wait()
        except TimeoutError:
            await self.kill()
            return FunctionResult(error=f"took more than {timeout_s:g} s")
        # a broken pipe, a reply that is too long, a malformed reply
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            await self.kill()
            return FunctionResult(error=f"the process failed: {error}")
        await self.kill()
        return FunctionResult(error=f"the process died ({_cause(code)})")

    async def kill(self) -> None:
        """Kill the process and what it started, on Linux in other sessions too."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            _kill_descendants(process.pid)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(TimeoutError):
            async with asyncio.timeout(END_LIMIT_S):
                await process.communicate()


def _kill_descendants(pid: int) -> None:
    """Stop a process and kill its descendants, those too that come while this looks for them. Needs Linux's /proc."""
    _signal(pid, signal.SIGSTOP)
    killed: set[int] = set()
    while found := set(_descendants(pid)) - killed:
        for each in found:
            _signal(each, signal.SIGKILL)
        killed |= found


def _descendants(pid: int) -> Iterator[int]:
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, path.read_text().split()):
                yield child
                yield from _descendants(child)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _request(call: Call) -> dict[str, Any]:
    return {"function": call.function, "given": call.case, "timeout_s": call.timeout_s}


def _cause(code: int) -> str:
    if -code == signal.SIGKILL:
        return "SIGKILL; perhaps this machine ran out of memory"
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"exit code {code}"
