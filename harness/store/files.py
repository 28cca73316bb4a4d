"""Writes result files atomically and for the user alone, and lets only one process write at a time."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from harness.clock import read_origin, utc_from_ns, utc_now
from harness.errors import StoreError
from harness.files import PRIVATE_FILE, PRIVATE_FOLDER, read_bounded, remedy

LEFTOVER_S = 3600.0
"""A temporary file older than this was left behind by a killed process."""
_PARTIAL = ".partial"
LOCK = ".lock"
MAX_LOCK_BYTES = 1000


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """The process that holds a folder's lock."""

    pid: int
    since_utc_ns: int


def write_atomically(path: Path, content: bytes, *, mode: int = PRIVATE_FILE) -> None:
    """Write a file completely or not at all. StoreError: the disk is full, or permission is denied.

    If `path` is a symbolic link, the file replaces the link; the link's target is not changed.
    """
    write_together({path: content}, mode=mode)


def write_together(contents: Mapping[Path, bytes], *, mode: int = PRIVATE_FILE) -> None:
    """Write files that belong together: all of them under temporary names, then put into place in this order.

    Until all are written the old files stay as they are. Name the file that shows the others last. Each file is as
    with `write_atomically`.
    """
    partials = {path: temporary_name(path) for path in contents}
    try:
        for path, content in contents.items():
            with _named_errors(path), open_new(partials[path], mode) as file:
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


def open_new(path: Path, mode: int = PRIVATE_FILE) -> BinaryIO:
    """Open a new file for writing. OSError: the name exists, even as a broken link."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, mode), "wb")


@contextmanager
def new_file(path: Path, mode: int = PRIVATE_FILE) -> Iterator[BinaryIO]:
    """A new file for writing, which is removed again if the writing fails. OSError: it exists, or cannot be written."""
    with open_new(path, mode) as file:
        try:
            yield file
            file.flush()
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def temporary_name(path: Path) -> Path:
    """A unique name next to `path`, for a file that will replace it."""
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}{_PARTIAL}")


def make_folder(path: Path) -> None:
    """Create a folder for results, and the folders above it, if needed. OSError: it cannot be created.

    A new folder is private; one that exists keeps its permissions.
    """
    path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)


def make_subfolder(path: Path) -> None:
    """Create a folder inside a run folder. StoreError: it is a symbolic link, or cannot be created."""
    if path.is_symlink():
        raise StoreError(f"{path}: is a symbolic link, but results must stay inside the run folder; remove it")
    try:
        make_folder(path)
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
def one_writer(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Lock a results folder while this process writes there. A second writer waits, and says on stderr for whom.

    `wait=False`: StoreError instead. The lock ends with the process, however that ends; meanwhile `.lock` in the folder
    says which process holds it. Does nothing if the folder does not exist or the file system has no locks.
    """
    descriptor = _open_folder(folder)
    if descriptor is None:
        yield
        return
    _held.add(descriptor)
    try:
        with suppress(OSError):
            if not _lock(descriptor):
                holder = read_holder(folder)
                if not wait:
                    raise StoreError(f"{folder}: {holder} is working on it; wait for that to end")
                print(f"{folder}: {holder} is writing here; waiting for it to finish", file=sys.stderr)
                _lock(descriptor, wait=True)
        with _named_holder(folder):
            yield
    finally:
        _held.discard(descriptor)
        os.close(descriptor)


def find_writer(folder: Path) -> str | None:
    """Which process has locked a folder, for a message: `process 4711 (since 2026-11-22 02:45:00 UTC)`. None: none."""
    descriptor = _open_folder(folder)
    if descriptor is None:
        return None
    try:
        return None if _lock(descriptor, shared=True) else read_holder(folder)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def read_holder(folder: Path) -> str:
    """What `.lock` says about the process that holds a folder's lock; `another process` if that cannot be read."""
    try:
        holder = msgspec.json.decode(read_bounded(folder / LOCK, max_bytes=MAX_LOCK_BYTES, follow=False), type=Holder)
        return f"process {holder.pid} (since {utc_from_ns(holder.since_utc_ns):%Y-%m-%d %H:%M:%S} UTC)"
    except (OSError, OverflowError, ValueError, msgspec.MsgspecError, RecursionError):
        return "another process"


@contextmanager
def _named_holder(folder: Path) -> Iterator[None]:
    """Name this process in the folder's `.lock`, which is for people: the lock itself is on the folder."""
    path, holder = folder / LOCK, Holder(pid=os.getpid(), since_utc_ns=read_origin().utc_ns)
    with suppress(StoreError):
        write_atomically(path, msgspec.json.encode(holder) + b"\n")
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _open_folder(folder: Path) -> int | None:
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except (AttributeError, OSError):
        return None


def _lock(descriptor: int, *, wait: bool = False, shared: bool = False) -> bool:
    """Lock a folder; False if another process holds it. True without lock support. OSError: cannot be locked."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(descriptor, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


_held: set[int] = set()
"""Descriptors of the folders that this process has locked."""


def _let_go() -> None:
    """In a forked child: close what the parent has locked, so that the child cannot hold a lock after the parent."""
    while _held:
        os.close(_held.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
