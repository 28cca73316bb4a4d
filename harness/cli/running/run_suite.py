"""`harness run` once the suite is loaded: send the load, grade the answers, report."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial

import msgspec

from harness.cli.index import update_index
from harness.cli.options import RunContext, Workers
from harness.cli.places import uploaded_run
from harness.cli.running.grade_and_report import grade_and_write, print_summary
from harness.cli.running.reporter import Reporter, WrittenReport, open_reporter
from harness.cli.running.send_load import Sender, send_load
from harness.endpoints.address import aws_settings_restored
from harness.errors import INTERRUPTED_CODE, RunInvalid, StoreError
from harness.load.plan import NOTHING, Part, Recorded, count_requests
from harness.load.progress import Progress
from harness.load.sender import Channel
from harness.load.session import Job, open_channels, send_part, start_session
from harness.load.stop import Stop
from harness.load.workers.local import start_local_worker
from harness.load.workers.pool import open_worker_pool
from harness.store.client_health import ClientHealth
from harness.store.run_folder import RunFolder
from harness.suite.suite import Suite


class ReportedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run with its reports. `interrupted`: what was in flight finished, and no judge was asked."""

    folder: RunFolder
    report: WrittenReport
    interrupted: bool


def run_suite(suite: Suite, context: RunContext) -> int:
    """Send, grade and report a suite; returns the exit code. HarnessError: before anything is sent."""
    run = send_and_grade(suite, context)
    if run is None:
        return INTERRUPTED_CODE
    code = print_summary(run.report, as_json=context.as_json)
    code = INTERRUPTED_CODE if run.interrupted else code
    return uploaded_run(context.bucket, run.folder.path, code, quiet=context.quiet)


def send_and_grade(suite: Suite, context: RunContext) -> ReportedRun | None:
    """Send and grade a suite, and write its reports. None: stopped at once, which leaves only a journal.

    HarnessError: before anything is sent. RunInvalid: the account is not ready, or the run failed after that.
    """
    with aws_settings_restored(), open_reporter() as reporter:
        run = _send_and_grade(suite, context, reporter)
        if context.index:
            reporter(update_index, context.out, create=True)
    return run


def _send_and_grade(suite: Suite, context: RunContext, reporter: Reporter) -> ReportedRun | None:
    counts = count_requests(suite, seed=context.seed)
    with ExitStack() as locks:
        sent = send_load(suite, context, partial(open_sender, suite, context.workers), counts=counts, locks=locks)
        if sent is None:
            return None
        locks.enter_context(_reportable_later(sent.folder))
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

    part: Part
    channels: Mapping[str, Channel]

    async def send(self, job: Job, folder: RunFolder, progress: Progress, stop: Stop) -> list[ClientHealth]:
        session = start_session(job, self.part, self.channels, progress, stop)
        return [await send_part(session, folder.journal_path())]


@asynccontextmanager
async def open_sender(
    suite: Suite, workers: Workers, url: str, stop: Stop, *, recorded: Recorded = NOTHING
) -> AsyncIterator[Sender]:
    """Yield this process, or a pool of workers that share the load."""
    if workers.ray is not None:
        from harness.load.cluster.pool import open_cluster_pool

        async with open_cluster_pool(suite, url, workers.ray, workers=workers.count, recorded=recorded) as pool:
            yield pool
    elif workers.count == 1:
        async with open_channels(suite, url, stop) as channels:
            yield ThisProcess(Part(suite=suite, recorded=recorded), channels)
    else:
        start = partial(start_local_worker, url)
        async with open_worker_pool(suite, start, workers=workers.count, recorded=recorded) as pool:
            yield pool
