"""Writes result files atomically, and lets only one process write at a time."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from harness.clock import utc_now
from harness.errors import StoreError
from harness.files import remedy

LEFTOVER_S = 3600.0
"""A temporary file older than this was left behind by a killed process."""
_PARTIAL = ".partial"


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file completely or not at all. StoreError: the disk is full, or permission is denied.

    If `path` is a symbolic link, the file replaces the link; the link's target is not changed.
    """
    write_together({path: content})


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write files that belong together: all of them under temporary names, then put into place in this order.

    Until all are written the old files stay as they are. Name the file that shows the others last. Each file is as
    with `write_atomically`.
    """
    partials = {path: temporary_name(path) for path in contents}
    try:
        for path, content in contents.items():
            with _named_errors(path), open_new(partials[path]) as file:
                file.write(content)
        for path, partial in partials.items():
            with _named_errors(path):
                os.replace(partial, path)
    finally:
        for partial in partials.values():
            with suppress(OSError):
                partial.unlink(missing_ok=True)


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}{remedy(error)}") from error


def open_new(path: Path) -> BinaryIO:
    """Open a new file for writing. OSError: the name exists, even as a broken link."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, 0o666), "wb")


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A new file for writing, which is removed again if the writing fails. OSError: it exists, or cannot be written."""
    with path.open("xb") as file:
        try:
            yield file
            file.flush()
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def temporary_name(path: Path) -> Path:
    """A unique name next to `path`, for a file that will replace it."""
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}{_PARTIAL}")


def make_subfolder(path: Path) -> None:
    """Create a folder inside a run folder. StoreError: it is a symbolic link, or cannot be created."""
    if path.is_symlink():
        raise StoreError(f"{path}: is a symbolic link, but results must stay inside the run folder; remove it")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{path}: cannot be created: {error.strerror}") from error


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that killed processes left behind."""
    now_s = utc_now().timestamp()
    with suppress(OSError):
        for path in folder.glob(f".*{_PARTIAL}"):
            with suppress(OSError):
                if now_s - path.lstat().st_mtime > LEFTOVER_S:
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


@contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Lock a results folder while this process writes there. A second writer waits, and says so on stderr.

    The lock ends with the process. Does nothing if the folder does not exist or the file system has no locks.
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
                print(f"{folder}: another process is writing here; waiting for it to finish", file=sys.stderr)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
