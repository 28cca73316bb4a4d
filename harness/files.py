"""Opening files that somebody else may have made: regular ones alone, and never more of them than is asked for."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

LONGEST_LINE = 64_000_000
"""Bytes of a line that is still read: more than any answer takes."""
_CHUNK = 1 << 20


def open_descriptor(path: Path | str, flags: int = os.O_RDONLY, *, follow: bool = True) -> int:
    """Open a regular file. OSError for any other: a pipe would never end, a device may do anything.

    `follow=False`: a symbolic link in the path's last part is an error, too.
    """
    flags |= getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags if follow else flags | getattr(os, "O_NOFOLLOW", 0), 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return descriptor


def open_regular(path: Path | str, *, follow: bool = True) -> BinaryIO:
    """Open a regular file to read it; see `open_descriptor`."""
    return os.fdopen(open_descriptor(path, follow=follow), "rb")


def read_bounded(path: Path | str, *, max_bytes: int, follow: bool = True) -> bytes:
    """A regular file's content. OSError: there is none, it is a pipe or a device, or larger than that (EFBIG)."""
    with open_regular(path, follow=follow) as file:
        sized = os.fstat(file.fileno()).st_size <= max_bytes
        content = file.read(max_bytes + 1) if sized else b""
    if not sized or len(content) > max_bytes:  # the one or the other: a file may grow, and those of /proc have no size
        raise OSError(errno.EFBIG, f"larger than {max_bytes / 1e6:g} MB", str(path))
    return content


def read_lines(path: Path, *, follow: bool = True) -> Iterator[bytes | None]:
    """The lines of a regular file with their ends; None for each that is longer than `LONGEST_LINE`. OSError.

    The memory used does not depend on the file. `follow`: as in `open_descriptor`.
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
    """Why a file that may not be a symbolic link cannot be opened."""
    return "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror or str(error)
