"""A fuzz target, and one input tried on it: which outcomes are allowed, and which are mistakes of the program."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis.strategies import SearchStrategy

from harness.errors import HarnessError

File = bytes | Callable[[Path], object]
"""The content of a file, or what makes something else in its place: `os.mkfifo`."""
Files = Mapping[str, File]
"""Path in the input's folder → file."""
LIMIT_S = 1.0
"""CPU seconds that an input may take more than undamaged files. Not wall time, so that a busy machine fails nothing."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
FORBIDDEN = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect", "webbrowser.open")
"""Audit events that nobody else's file may cause."""
CHANGES = {"os.rename": 2, "os.link": 2, "os.symlink": 2, "os.mkdir": 1, "os.remove": 1, "os.rmdir": 1,
           "os.truncate": 1, "os.chmod": 1, "shutil.rmtree": 1}  # fmt: skip
"""Audit events that change files → how many of their first arguments are paths."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """One reader of files that somebody else may have made."""

    whole: Callable[[], Files]
    """Makes files that are not damaged. They are read before all inputs, and must be accepted."""
    inputs: Callable[[], SearchStrategy[Files]]
    """Makes the strategy of its inputs: all files of the folder that `read` gets."""
    read: Callable[[Path], object]
    """Reads the folder. It may raise HarnessError and nothing else, and change files of that folder only."""
    share: float = 1.0
    """Of the inputs of a round, beside other targets: slow readers get fewer."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one input led to."""

    seconds: float
    """CPU time."""
    refused: str | None = None
    """The message of the HarnessError. None: the input was accepted, or the program failed."""
    failure: str | None = None
    """What the program did wrong, with its traceback."""


class Hang(BaseException):
    """The input took too long."""


class Escape(BaseException):
    """The reader touched something outside its folder, or ran something."""


def try_input(target: Target, files: Files, folder: Path, *, limit_s: float) -> Outcome:
    """Write the files into a folder, which is emptied first, and read it."""
    write_files(files, folder)
    start = time.process_time()
    refused = failure = None
    try:
        with _limited(limit_s), _confined(folder):
            target.read(folder)
    except HarnessError as error:
        refused = str(error)
        failure = None if refused.strip() else "HarnessError without a message"
    except (Exception, Hang, Escape):
        failure = traceback.format_exc()
    return Outcome(seconds=time.process_time() - start, refused=refused, failure=failure)


def write_files(files: Files, folder: Path) -> None:
    """Empty the folder and write the files into it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, file in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(file, bytes):
            path.write_bytes(file)
        else:
            file(path)


@contextmanager
def _limited(limit_s: float) -> Iterator[None]:
    """Hang, once the body has used so much CPU time."""

    def stop(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def _confined(folder: Path) -> Iterator[None]:
    """Escape, if the body runs a program, connects, or changes a file outside the folder."""
    _add_hook()
    _inside.append(f"{folder.resolve()}{os.sep}")
    try:
        yield
    finally:
        _inside.pop()


_inside: list[str] = []


@cache
def _add_hook() -> None:
    """Once in a process, as an audit hook cannot be removed."""
    sys.addaudithook(_audit)


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if not _inside:
        return
    if event in FORBIDDEN:
        raise Escape(f"{event}: {args!r}")
    if event == "open":
        path, _, flags = args
        paths = (path,) if (flags or 0) & WRITES else ()
    else:
        paths = args[: CHANGES.get(event, 0)]
    for path in paths:
        if isinstance(path, str | os.PathLike) and not _is_inside(os.fspath(path)):
            raise Escape(f"{event}: {path!r}")


def _is_inside(path: str) -> bool:
    """Whether a path is in the folder, or in a folder for bytecode."""
    real = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    return real.startswith(_inside[-1]) or f"{real}{os.sep}" == _inside[-1] or "__pycache__" in real
