"""How files of results are written: whole or not at all, by one process at a time."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from harness.clock import utc_now
from harness.errors import StoreError

LEFTOVER_S = 3600.0
"""A temporary file this old belongs to a process that was killed."""
_PARTIAL = ".partial"


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all. StoreError: disk full, no permission.

    What is written takes the name's place: where that is a symbolic link, the link goes and its target stays.
    """
    partial = temporary_name(path)
    try:
        try:
            with open_new(partial) as file:
                file.write(content)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from error


def open_new(path: Path) -> BinaryIO:
    """Open a file to write it that was not there before, link or not."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, 0o666), "wb")


def temporary_name(path: Path) -> Path:
    """A name beside `path` that no other process uses, for what is to take its place."""
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}{_PARTIAL}")


def make_subfolder(path: Path) -> None:
    """Make a folder inside a run's. StoreError: it is a link to somewhere else, or cannot be made."""
    if path.is_symlink():
        raise StoreError(f"{path}: is a symbolic link, and nothing is written outside the run's folder; remove it")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{path}: cannot be made: {error.strerror}") from error


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that killed processes have left."""
    now_s = utc_now().timestamp()
    with suppress(OSError):
        for path in folder.glob(f".*{_PARTIAL}"):
            with suppress(OSError):
                if now_s - path.lstat().st_mtime > LEFTOVER_S:
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


@contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Hold a folder of results for as long as this process writes there; another writer waits, and says so on stderr.

    The lock ends with the process, however it ends. A folder that is not there, and a file system without locks, go
    without.
    """
    try:
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except (ImportError, OSError):
        yield
        return
    try:
        with suppress(OSError):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f"{folder}: another process is writing there; waiting until it has ended", file=sys.stderr)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
