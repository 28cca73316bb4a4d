"""What `harness run` does once it has its suite: endpoint, load, store, reports, exit code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import msgspec
import uvloop

from harness.cli.running.finish import finish
from harness.cli.running.interrupts import Interrupts
from harness.cli.running.sending import (
    INTERRUPTED,
    is_simulated,
    open_endpoint,
    prepare,
    progress_shown,
    send_and_store,
)
from harness.load.exchange import Lane
from harness.load.plan import count_requests
from harness.load.progress import Progress
from harness.load.session import Job, open_lanes, send_part, start_progress
from harness.load.shards import make_shards
from harness.load.stop import Stop
from harness.load.workers.pool import open_worker_pool
from harness.store.client_health import ClientHealth
from harness.store.files import one_writer
from harness.store.manifest import Manifest, new_manifest
from harness.store.run_folder import RunFolder, create_run
from harness.suite.suite import Suite


class Sent(msgspec.Struct, frozen=True):
    """A load that is over, and whether Ctrl-C or SIGTERM ended it."""

    folder: RunFolder
    interrupted: bool


def perform(suite: Suite, *, out: Path, seed: int, workers: int, as_json: bool, quiet: bool) -> int:
    """Run the suite from start to report; returns the exit code. HarnessError before anything is sent."""
    prepare(suite, quiet=quiet)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sent = runner.run(_send(suite, out=out, seed=seed, workers=workers, quiet=quiet))
    if sent is None:
        return INTERRUPTED
    with one_writer(sent.folder.path):
        code = finish(
            sent.folder,
            as_json=as_json,
            judge=not sent.interrupted,
            endpoint=suite.endpoint,
            check_files=suite.graders.check_files,
            quiet=quiet,
        )
    return INTERRUPTED if sent.interrupted else code


async def _send(suite: Suite, *, out: Path, seed: int, workers: int, quiet: bool) -> Sent | None:
    """Make the load, journal every attempt, turn the journal into Parquet. None: stopped at once, journal as it is."""
    counts = count_requests(suite, seed=seed)
    progress, stop = start_progress(suite, counts, seed=seed), Stop()
    interrupts = Interrupts(stop)
    async with open_endpoint(suite, seed=seed) as url, _sender(suite, url, stop, workers) as sender:
        manifest = _manifest(suite, counts, seed=seed)
        folder = create_run(out, manifest, suite)
        job = Job(run_id=manifest.run_id, suite=suite, seed=seed, origin_ns=manifest.origin_monotonic_ns)

        async def load() -> list[ClientHealth]:
            async with progress_shown(progress, duration_s=suite.load.duration_s, quiet=quiet):
                return await sender.send(job, folder, progress, stop)

        stored = await send_and_store(load(), folder, stop, interrupts)
    return Sent(folder, interrupts.count > 0) if stored else None


class Sender(Protocol):
    """Whose clients are open, ready to send a load."""

    async def send(self, job: Job, folder: RunFolder, progress: Progress, stop: Stop) -> list[ClientHealth]: ...


class Alone(msgspec.Struct, frozen=True):
    """This process, sending the whole load itself."""

    lanes: dict[str, Lane]

    async def send(self, job: Job, folder: RunFolder, progress: Progress, stop: Stop) -> list[ClientHealth]:
        return [await send_part(job, self.lanes, folder.journal_path(), progress, stop)]


@asynccontextmanager
async def _sender(suite: Suite, url: str, stop: Stop, workers: int) -> AsyncIterator[Sender]:
    """This process, or several others that share the load."""
    if workers == 1:
        async with open_lanes(suite, url, stop) as lanes:
            yield Alone(lanes)
    else:
        async with open_worker_pool(suite, url, make_shards(suite, workers)) as pool:
            yield pool


def _manifest(suite: Suite, counts: Mapping[str, int] | None, *, seed: int) -> Manifest:
    return new_manifest(
        suite,
        endpoint=suite.endpoint,
        simulated=is_simulated(suite),
        seed=seed,
        planned=None if counts is None else sum(counts.values()),
    )
