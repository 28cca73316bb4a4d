"""What the benchmarks share: a step's wall time, CPU time and peak memory, and a table of them."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One timed step. `peak_mib` is the process's peak until its end, so it never falls from step to step."""

    name: str
    wall_s: float
    cpu_s: float
    peak_mib: float


class Steps:
    """Steps of one process, in order."""

    def __init__(self) -> None:
        self.done: list[Step] = []

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time what is inside; all threads of this process and its ended children count as CPU."""
        wall, cpu = time.perf_counter(), cpu_s()
        yield
        self.done.append(Step(name=name, wall_s=time.perf_counter() - wall, cpu_s=cpu_s() - cpu, peak_mib=peak_mib()))

    def run(self, name: str, job: Callable[[], T]) -> T:
        """As `timed`, for one call."""
        with self.timed(name):
            return job()


def cpu_s() -> float:
    """CPU seconds of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def peak_mib() -> float:
    """The most memory that this process has had resident, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in (headings, *rows)) for i in range(len(headings))]
    for row in (headings, *rows):
        cells = zip(row, widths, strict=True)
        print("  ".join(cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(cells)).rstrip())
