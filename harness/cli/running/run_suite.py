"""`harness run` once the suite is loaded: send the load, grade the answers, report."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import msgspec

from harness.cli.index import update_index
from harness.cli.options import RunContext
from harness.cli.running.grade_and_report import grade_and_write, print_summary
from harness.cli.running.reporter import Reporter, WrittenReport, open_reporter
from harness.cli.running.send_load import Sender, send_load
from harness.errors import INTERRUPTED_CODE, RunInvalid, StoreError
from harness.load.plan import Part, count_requests
from harness.load.progress import Progress
from harness.load.sender import Channel
from harness.load.session import Job, Session, open_channels, send_part
from harness.load.stop import Stop
from harness.load.workers.pool import open_worker_pool
from harness.store.client_health import ClientHealth
from harness.store.files import one_writer
from harness.store.run_folder import RunFolder
from harness.suite.suite import Suite


class ReportedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run with its reports. `interrupted`: what was in flight finished, and no judge was asked."""

    folder: RunFolder
    report: WrittenReport
    interrupted: bool


def run_suite(suite: Suite, context: RunContext, *, workers: int = 1) -> int:
    """Send, grade and report a suite; returns the exit code. HarnessError: before anything is sent."""
    run = send_and_grade(suite, context, workers=workers)
    if run is None:
        return INTERRUPTED_CODE
    code = print_summary(run.report, as_json=context.as_json)
    return INTERRUPTED_CODE if run.interrupted else code


def send_and_grade(suite: Suite, context: RunContext, *, workers: int = 1) -> ReportedRun | None:
    """Send and grade a suite, and write its reports. None: stopped at once, which leaves only a journal.

    HarnessError: before anything is sent. RunInvalid: the run failed after that.
    """
    with open_reporter() as reporter:
        run = _send_and_grade(suite, context, workers, reporter)
        if context.index:
            reporter(update_index, context.out, create=True)
    return run


def _send_and_grade(suite: Suite, context: RunContext, workers: int, reporter: Reporter) -> ReportedRun | None:
    counts = count_requests(suite, seed=context.seed)
    sent = send_load(suite, context, partial(_open_sender, suite, workers), counts=counts)
    if sent is None:
        return None
    with one_writer(sent.folder.path), _reportable_later(sent.folder):
        report = grade_and_write(
            sent.folder,
            context,
            judge=not sent.interrupted,
            endpoint=suite.endpoint,
            check_files=suite.graders.check_files,
            reporter=reporter,
        )
    return ReportedRun(folder=sent.folder, report=report, interrupted=sent.interrupted)


@contextmanager
def _reportable_later(folder: RunFolder) -> Iterator[None]:
    """Say how to report on a run whose answers are stored when a file cannot be written. RunInvalid for StoreError."""
    try:
        yield
    except StoreError as error:
        next_step = f"the answers are stored; to report on them, use `harness report {folder.path}`"
        raise RunInvalid(f"{error}\n{next_step}") from error


class ThisProcess(msgspec.Struct, frozen=True):
    """Sends the whole load from this process."""

    suite: Suite
    channels: Mapping[str, Channel]

    async def send(self, job: Job, folder: RunFolder, progress: Progress, stop: Stop) -> list[ClientHealth]:
        part = Part(suite=self.suite)
        session = Session(job=job, part=part, channels=self.channels, progress=progress, stop=stop)
        return [await send_part(session, folder.journal_path())]


@asynccontextmanager
async def _open_sender(suite: Suite, workers: int, url: str, stop: Stop) -> AsyncIterator[Sender]:
    """Yield this process, or a pool of workers that share the load."""
    if workers == 1:
        async with open_channels(suite, url, stop) as channels:
            yield ThisProcess(suite, channels)
    else:
        async with open_worker_pool(suite, url, workers=workers) as pool:
            yield pool
