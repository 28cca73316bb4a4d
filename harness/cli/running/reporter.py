"""Writes the report of a graded run: in this process, or in one that gets ready while the load is sent."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, Protocol, TypeVar

import msgspec

from harness.report.drawing.forks import can_fork, follow_parent
from harness.report.plots import Plots
from harness.store.run_folder import RunFolder
from harness.suite.suite import Suite

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from harness.analysis.summary.summary import RunSummary
    from harness.report.section import Report

NICENESS = 5
"""Of the imports: a third of the share of a load that needs the same core. Much nicer, they would hardly end on a busy
machine."""

SHORT_S = 10.0
"""A load that ends sooner does not pay for what only some figures need."""

P = ParamSpec("P")
T = TypeVar("T")


class WrittenReport(msgspec.Struct, frozen=True, kw_only=True):
    """A run's report, which is on disk, and what is printed of it. `brief`: for a terminal."""

    summary: RunSummary
    brief: Report
    page: Path


class Reporter(Protocol):
    """Calls a function where its libraries are; returns what it returns, and raises what it raises."""

    def __call__(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...


def call_here(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """The reporter that works in this process."""
    return function(*args, **kwargs)


def write_report(folder: RunFolder, suite: Suite, plots: Plots) -> WrittenReport:
    """Summarise a graded run and write its report. Raises StoreError."""
    from harness.report.run.sections import run_brief
    from harness.report.write import report_run

    summary, page = report_run(folder, suite, plots)
    return WrittenReport(summary=summary, brief=run_brief(summary), page=page)


@contextmanager
def open_reporter() -> Iterator[Reporter]:
    """A reporter whose libraries another process imports from now on; they take longer than a short load.

    That process is a fork of this one, so it is opened before there are threads, an event loop or locks. Where none can
    be forked, or if it fails or is killed, this process does its work.
    """
    if not can_fork():
        yield call_here
        return
    from multiprocessing import get_context

    context = get_context("fork")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(here, there))
    process.start()
    there.close()
    try:
        with closing(here):
            yield _reporter_at(here)
    finally:
        process.join()


def _reporter_at(process: Connection) -> Reporter:
    def ask(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        with suppress(EOFError, OSError):
            process.send((function, args, kwargs))
            returned: T = process.recv()
            return returned
        return function(*args, **kwargs)

    return ask


def _serve(here: Connection, there: Connection) -> None:
    """The other process: import, then call what it is asked to. It ends when the first process does."""
    here.close()
    follow_parent()
    called = threading.Event()
    importing = threading.Thread(target=_import_unhurriedly, args=(called,), daemon=True)
    importing.start()
    with suppress(Exception):  # EOFError: that was all; any other is raised again where the first process does the work
        while True:
            call = there.recv_bytes()
            called.set()
            importing.join()  # before the call is unpickled, which imports, too
            function, args, kwargs = pickle.loads(call)
            there.send(function(*args, **kwargs))


def _import_unhurriedly(called: threading.Event) -> None:
    """Import what a report and the index need. On Linux, niceness is of a thread: the work itself is not held up."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
    import harness.report.index
    import harness.report.write  # noqa: F401

    if not called.wait(SHORT_S):  # else the report would have to wait for it
        import scipy.stats  # noqa: F401  # each fork that draws a trend would load it again
