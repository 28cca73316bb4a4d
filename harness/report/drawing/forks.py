"""Computes in forked copies of this process, one for each core. They see its memory, so only results are sent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkProcess

T = TypeVar("T")
R = TypeVar("R")

MOST_ITEMS = 256
"""An item's turn is one byte."""
PR_SET_PDEATHSIG = 1


def can_fork() -> bool:
    """Whether a copy of this process is safe: on Linux, and without other threads, whose locks nobody would release."""
    return sys.platform == "linux" and len(os.listdir("/proc/self/task")) == 1


def follow_parent() -> None:
    """In a fork: leave signals that ask to end to the parent, and end when it does, even if it is killed (on Linux)."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def map_in_forks(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """`function` of each item, in order. Each copy takes the next item when it has sent the result of the last one.

    What a copy does not return, because it was killed or `function` raised, is computed here. So is everything where
    there is one core or no safe copy. Results must be picklable; there may be 256 items.
    """
    assert len(items) <= MOST_ITEMS
    found: dict[int, R] = {}
    if can_fork() and (copies := min(len(items), len(os.sched_getaffinity(0)))) > 1:
        found = dict(_computed(function, items, copies))
    return [found[turn] if turn in found else function(item) for turn, item in enumerate(items)]


def _computed(function: Callable[[T], R], items: Sequence[T], copies: int) -> Iterator[tuple[int, R]]:
    """The results of the copies as they arrive, each with the index of its item."""
    from multiprocessing import get_context
    from multiprocessing.connection import Connection, wait

    turns, fill = os.pipe()
    os.write(fill, bytes(range(len(items))))
    os.close(fill)
    context = get_context("fork")
    processes: list[ForkProcess] = []
    readers: list[Connection] = []
    try:
        for _ in range(copies):
            reader, writer = context.Pipe(duplex=False)
            processes.append(context.Process(target=_compute, args=(function, items, turns, writer)))
            processes[-1].start()
            writer.close()  # so that the reader's end comes with that of the copy
            readers.append(reader)
        while readers:
            for ready in wait(readers):
                assert isinstance(ready, Connection)
                try:
                    yield ready.recv()
                except (EOFError, OSError):  # OSError: it was killed while it sent a result
                    readers.remove(ready)
    finally:
        os.close(turns)
        for process in processes:
            process.kill()
            process.join()


def _compute(function: Callable[[T], R], items: Sequence[T], turns: int, results: Connection) -> None:
    """A copy's work: take a turn, send the result, until there are no more turns."""
    follow_parent()
    with suppress(BrokenPipeError):
        while turn := os.read(turns, 1):
            with suppress(Exception):  # raised again where the first process computes it
                results.send((turn[0], function(items[turn[0]])))
