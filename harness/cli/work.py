"""What `harness run` does once it has its suite: endpoint, load, store, reports, exit code."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import msgspec
import uvloop

from harness.cli.embedded import open_endpoint
from harness.cli.finish import finish
from harness.cli.interrupts import Interrupts
from harness.endpoints.address import forget_aws, is_loopback
from harness.errors import HarnessError, RunInvalid
from harness.load.plan import count_requests
from harness.load.progress import Progress
from harness.load.session import Job, open_lanes, run_load, start_progress
from harness.load.stop import Reason, Stop
from harness.report.live import show_progress
from harness.store.finding import Finding
from harness.store.journal import Journal
from harness.store.manifest import Manifest, State, new_manifest
from harness.store.run_folder import RunFolder, create_run
from harness.suite.freeze import freeze_suite
from harness.suite.schema import Suite

INTERRUPTED = 130


class Sent(msgspec.Struct, frozen=True):
    """A load that is over, and whether Ctrl-C or SIGTERM ended it."""

    folder: RunFolder
    interrupted: bool


def perform(suite: Suite, *, out: Path, seed: int, as_json: bool, quiet: bool) -> int:
    """Run the suite from start to report; returns the exit code. HarnessError before anything is sent."""
    if suite.endpoint == "simulator" or is_loopback(suite.endpoint):
        forget_aws()
    for warning in suite.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if not quiet:
        for note in suite.notes:
            print(f"note: {note}", file=sys.stderr)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sent = runner.run(_send(suite, out=out, seed=seed, quiet=quiet))
    if sent is None:
        return INTERRUPTED
    code = finish(sent.folder, as_json=as_json, judge=not sent.interrupted, quiet=quiet)
    return INTERRUPTED if sent.interrupted else code


async def _send(suite: Suite, *, out: Path, seed: int, quiet: bool) -> Sent | None:
    """Make the load, journal every attempt, turn the journal into Parquet. None: stopped at once, journal as it is."""
    progress, stop = start_progress(suite, seed=seed), Stop()
    interrupts = Interrupts(stop)
    async with open_endpoint(suite, seed=seed) as url, open_lanes(suite, url, stop) as lanes:
        manifest = _manifest(suite, seed=seed)
        folder = create_run(out, manifest, freeze_suite(suite))
        job = Job(run_id=manifest.run_id, suite=suite, seed=seed, origin_ns=manifest.origin_monotonic_ns)
        with _failures_told(folder), interrupts.watched():
            try:
                async with Journal(folder.journal_path()) as journal, _shown(progress, suite, quiet=quiet):
                    lag = await run_load(job, lanes, record=journal.record, progress=progress, stop=stop)
            except asyncio.CancelledError:
                if interrupts.count < 2:
                    raise
                _write_state(folder, "interrupted")
                print(f"stopped; `harness report {folder.path}` reports on what there is", file=sys.stderr)
                return None
    with _failures_told(folder):
        folder.finalise(
            "complete" if stop.reason is None else "interrupted",
            findings=[] if stop.reason is None else [_ended_early(stop.reason)],
            loop_lag=msgspec.structs.asdict(lag),
        )
    return Sent(folder, interrupts.count > 0)


@contextmanager
def _failures_told(folder: RunFolder) -> Iterator[None]:
    """A run that breaks is marked `failed`; its journal is kept. RunInvalid where it is not a bug."""
    try:
        yield
    except Exception as error:
        _write_state(folder, "failed")
        if isinstance(error, HarnessError):
            raise RunInvalid(
                f"{error}\nthe run failed; `harness report {folder.path}` reports on what there is"
            ) from error
        raise


def _write_state(folder: RunFolder, state: State) -> None:
    with suppress(HarnessError):  # a full disk must not hide what went wrong
        folder.write_manifest(msgspec.structs.replace(folder.read_manifest(), state=state))


def _ended_early(reason: Reason) -> Finding:
    return Finding(what=f"the run ended early: {reason.what}", remedy=reason.remedy)


def _manifest(suite: Suite, *, seed: int) -> Manifest:
    counts = count_requests(suite, seed=seed)
    return new_manifest(
        suite,
        endpoint=suite.endpoint,
        simulated=suite.endpoint == "simulator" or is_loopback(suite.endpoint),
        seed=seed,
        planned=None if counts is None else sum(counts.values()),
    )


@asynccontextmanager
async def _shown(progress: Progress, suite: Suite, *, quiet: bool) -> AsyncIterator[None]:
    """Progress on stderr while inside, unless quiet."""
    if quiet:
        yield
        return
    async with asyncio.TaskGroup() as tasks:
        showing = tasks.create_task(show_progress(progress, duration_s=suite.load.duration_s))
        try:
            yield
        finally:
            showing.cancel()
