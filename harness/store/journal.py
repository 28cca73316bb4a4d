"""The journal: attempts as JSON lines, written during a run so that `kill -9` loses none of them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from harness.errors import StoreError, first_leaf
from harness.files import PRIVATE_FILE, open_descriptor, read_lines, reason, remedy
from harness.store.records import Attempt

FLUSH_S = 0.1
"""Pause between flushes: half of the promised 200 ms, as the loop may be busy."""
SLICE = 256 * 1024
"""Bytes written at once, before other tasks get a turn."""


class Journal:
    """Appends attempts to one file, which is locked against other writers while it is open.

        async with Journal(path) as journal:
            journal.record(attempt)

    Attempts are flushed to the operating system within 200 ms, and when the journal closes. A failed write cancels the
    body and raises StoreError. An existing journal is continued; an incomplete last line is cut off first.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._encoder = msgspec.json.Encoder()
        self._buffer = bytearray()

    async def __aenter__(self) -> Self:
        self._fd = _open_locked(self.path)
        cut_torn_line(self.path)
        self._closing = asyncio.Event()
        self._tasks = asyncio.TaskGroup()
        await self._tasks.__aenter__()
        self._tasks.create_task(self._flush_often())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        try:
            await self._tasks.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            failures = group.split(lambda each: each is error)[1]
            if failures is not None:
                raise first_leaf(failures) from None
        finally:
            try:
                self.flush()
            finally:
                os.close(self._fd)

    def record(self, attempt: Attempt) -> None:
        """Record one attempt, in a few microseconds and without a system call. Lone surrogates become U+FFFD."""
        start = len(self._buffer)
        try:
            self._encoder.encode_into(attempt, self._buffer, -1)
        except UnicodeEncodeError:
            del self._buffer[start:]
            self._encoder.encode_into(_with_valid_texts(attempt), self._buffer, -1)
        except BaseException:
            del self._buffer[start:]
            raise
        self._buffer += b"\n"

    def flush(self) -> None:
        """Write everything recorded so far to the file."""
        while self._buffer:
            self._write_slice()

    async def _flush_often(self) -> None:
        while not self._closing.is_set():
            while self._buffer:
                self._write_slice()
                await asyncio.sleep(0)
            try:
                async with asyncio.timeout(FLUSH_S):
                    await self._closing.wait()
            except TimeoutError:
                continue

    def _write_slice(self) -> None:
        del self._buffer[: _write(self._fd, self._buffer[:SLICE], self.path)]


class JournalCopy:
    """The journal of a process on another machine, to which its lines are appended as they arrive.

    Locked while it is open, like any journal that is written.
    """

    def __init__(self, path: Path) -> None:
        """StoreError: it cannot be opened, or another process is writing it."""
        self.path = path
        self._fd = _open_locked(path)
        cut_torn_line(path)

    def append(self, lines: bytes) -> None:
        """Hand whole lines to the operating system. StoreError: they cannot be written."""
        left = memoryview(lines)
        while left:
            left = left[_write(self._fd, left, self.path) :]

    def close(self) -> None:
        os.close(self._fd)


def _write(fd: int, data: bytearray | memoryview, path: Path) -> int:
    """Write once; returns the number of bytes written. StoreError: it failed."""
    try:
        return os.write(fd, data)
    except OSError as error:
        raise StoreError(
            f"{path}: the journal cannot be written: {error.strerror}{remedy(error)}; what was already written is kept"
        ) from error


class Extent(msgspec.Struct, frozen=True, kw_only=True):
    """The size of a journal."""

    lines: int
    longest: int
    """Bytes of the longest line."""
    torn_bytes: int
    """Bytes after the last newline: an incomplete line, left by `kill -9`."""
    too_long: int = 0
    """Lines longer than `LONGEST_LINE`, which the harness never writes; not counted in `lines`."""


def measure_journal(path: Path) -> Extent:
    """Measure a journal without decoding its lines. StoreError: not a regular file, or cannot be read."""
    lines = longest = torn = too_long = 0
    try:
        for line in read_lines(path, follow=False):
            if line is None:
                too_long += 1
            elif line.endswith(b"\n"):
                lines += 1
                longest = max(longest, len(line))
            else:
                torn = len(line)
    except OSError as error:
        raise StoreError(f"{path}: the journal cannot be read: {reason(error)}") from error
    return Extent(lines=lines, longest=longest, torn_bytes=torn, too_long=too_long)


def cut_torn_line(path: Path) -> int:
    """Cut off an incomplete last line; returns the number of bytes removed."""
    with path.open("rb+") as file:
        end = keep = file.seek(0, os.SEEK_END)
        while keep:
            start = max(0, keep - SLICE)
            file.seek(start)
            newline = file.read(keep - start).rfind(b"\n")
            keep = start + newline + 1
            if newline >= 0:
                break
        if keep < end:
            file.truncate(keep)
    return end - keep


def is_locked(path: Path) -> bool:
    """Whether a running process has the journal open for writing. StoreError: it is not a regular file."""
    try:
        fd = open_descriptor(path, os.O_RDWR, follow=False)
    except OSError as error:
        raise StoreError(f"{path}: the journal cannot be opened: {reason(error)}; remove it") from error
    try:
        return not _lock(fd)
    finally:
        os.close(fd)


def _open_locked(path: Path) -> int:
    fd = _open(path)
    if _lock(fd):
        return fd
    os.close(fd)
    raise StoreError(f"{path}: another process is writing this run; wait for it to finish")


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE_FILE)
    except OSError as error:
        raise StoreError(
            f"{path}: the journal cannot be opened: {error.strerror}; fix that or choose another folder"
        ) from error


def _lock(fd: int) -> bool:
    """Take a lock that ends with the process; returns False if another process holds it. True without lock support."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _with_valid_texts(attempt: Attempt) -> Attempt:
    """The attempt with texts that are valid in UTF-8: pairs of surrogates joined, lone ones replaced by U+FFFD."""
    texts = ((name, value) for name, value in msgspec.structs.asdict(attempt).items() if isinstance(value, str))
    valid = {name: text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for name, text in texts}
    return msgspec.structs.replace(attempt, **valid)
