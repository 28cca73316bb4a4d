"""Opens files that somebody else may have made: regular files only, and never more bytes of them than requested."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
"""The permissions of results, which hold prompts and answers: the user's alone, or fewer, if the umask says so."""
LONGEST_LINE = 64_000_000
"""Bytes. A longer line is not read; no answer needs as much."""
_CHUNK = 1 << 20


def open_descriptor(path: Path | str, flags: int = os.O_RDONLY, *, follow: bool = True) -> int:
    """Open a regular file. OSError for anything else: a pipe may never end, a device may do anything.

    A file that this creates is private. `follow=False`: OSError if the last part of the path is a symbolic link, too.
    """
    flags |= getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags if follow else flags | getattr(os, "O_NOFOLLOW", 0), PRIVATE_FILE)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return descriptor


def create_private(path: str, flags: int) -> int:
    """An opener for `open` that creates private files."""
    return os.open(path, flags, PRIVATE_FILE)


def open_regular(path: Path | str, *, follow: bool = True) -> BinaryIO:
    """Open a regular file for reading; see `open_descriptor`."""
    return os.fdopen(open_descriptor(path, follow=follow), "rb")


def read_bounded(path: Path | str, *, max_bytes: int, follow: bool = True) -> bytes:
    """The content of a regular file. OSError: it is missing, not a regular file, or larger than `max_bytes` (EFBIG)."""
    with open_regular(path, follow=follow) as file:
        sized = os.fstat(file.fileno()).st_size <= max_bytes
        content = file.read(max_bytes + 1) if sized else b""
    if not sized or len(content) > max_bytes:  # both checks: a file may grow, and files in /proc report no size
        raise OSError(errno.EFBIG, f"larger than {max_bytes / 1e6:g} MB", str(path))
    return content


def read_lines(path: Path, *, follow: bool = True) -> Iterator[bytes | None]:
    """The lines of a regular file with their line ends; None for each line longer than `LONGEST_LINE`. OSError.

    Memory use does not depend on the size of the file. `follow`: see `open_descriptor`.
    """
    with open_regular(path, follow=follow) as file:
        while line := file.readline(LONGEST_LINE):
            if len(line) < LONGEST_LINE or line.endswith(b"\n"):
                yield line
                continue
            while (rest := file.readline(_CHUNK)) and not rest.endswith(b"\n"):
                pass
            yield None


def reason(error: OSError) -> str:
    """Why a file opened with `follow=False` cannot be opened."""
    return "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror or str(error)


def remedy(error: OSError) -> str:
    """What to do about a system that has no more to give: `; free some space`. Empty for other errors."""
    advice = {
        errno.ENOSPC: "free some space",
        errno.EDQUOT: "free some space, or raise your quota",
        errno.EMFILE: "raise the limit on open files (`ulimit -n`)",
        errno.ENFILE: "close other programs, since the system has no more open files to give",
        errno.EROFS: "choose a folder that can be written",
    }
    return f"; {advice[error.errno]}" if error.errno in advice else ""
