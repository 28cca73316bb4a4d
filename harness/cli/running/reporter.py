"""Summarises a graded run and writes its report: in this process, or in one that gets ready while the load is sent."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.report.drawing.forks import can_fork
from harness.report.plots import Plots
from harness.store.run_folder import RunFolder
from harness.suite.suite import Suite

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from harness.analysis.summary.summary import RunSummary

NICENESS = 5
"""Of the imports: a third of the share of a load that needs the same core. Much nicer, they would hardly end on a busy
machine."""

Reporter = Callable[[RunFolder, Suite, Plots], "tuple[RunSummary, Path]"]
"""Summarises a graded run and writes its report; returns the summary and the page. Raises StoreError."""


def write_report(folder: RunFolder, suite: Suite, plots: Plots) -> tuple[RunSummary, Path]:
    """The reporter that works in this process."""
    from harness.report.write import report_run

    return report_run(folder, suite, plots)


@contextmanager
def open_reporter() -> Iterator[Reporter]:
    """A reporter whose libraries another process imports from now on; they take longer than a short load.

    That process is a fork of this one, so it is opened before there are threads, an event loop or locks. Where none can
    be forked, or if it fails or is killed, the report is written in this process.
    """
    if not can_fork():
        yield write_report
        return
    from multiprocessing import get_context

    context = get_context("fork")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(here, there))
    process.start()
    there.close()
    try:
        with closing(here):
            yield partial(_ask, here)
    finally:
        process.join()


def _ask(process: Connection, folder: RunFolder, suite: Suite, plots: Plots) -> tuple[RunSummary, Path]:
    """Have the process write the report."""
    with suppress(EOFError, OSError):
        process.send((folder, suite, plots))
        written: tuple[RunSummary, Path] = process.recv()
        return written
    return write_report(folder, suite, plots)


def _serve(here: Connection, there: Connection) -> None:
    """The other process: import, wait for one run, write its report. It ends when the first process does."""
    here.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the load
    importing = threading.Thread(target=_import_unhurriedly, daemon=True)
    importing.start()
    with suppress(EOFError):  # there is no run
        wanted = there.recv()
        importing.join()
        with suppress(Exception):  # raised again where the first process writes the report
            there.send(write_report(*wanted))


def _import_unhurriedly() -> None:
    """Import what `write_report` needs. On Linux, niceness is of a thread: the report itself is not held up by it."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
    import harness.report.write  # noqa: F401
