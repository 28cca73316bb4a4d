"""What every command that sends a load shares: its endpoint, its run's manifest, progress, and failures told."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from harness.cli.running.endpoint import embedded_bedrock
from harness.cli.running.interrupts import Interrupts
from harness.endpoints.address import forget_aws, is_loopback
from harness.errors import HarnessError, RunInvalid
from harness.load.progress import Progress
from harness.load.stop import Reason, Stop
from harness.report.live import show_progress
from harness.store.client_health import ClientHealth
from harness.store.files import one_writer
from harness.store.finding import Finding
from harness.store.manifest import State
from harness.store.run_folder import RunFolder
from harness.suite.suite import Suite

INTERRUPTED = 130


def prepare(suite: Suite, *, quiet: bool) -> None:
    """Make the environment fit for the endpoint, and say what the suite's loader has to say."""
    if is_simulated(suite):
        forget_aws()
    for warning in suite.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if not quiet:
        for note in suite.notes:
            print(f"note: {note}", file=sys.stderr)


def is_simulated(suite: Suite) -> bool:
    """Whether what is measured is a stand-in: anything on loopback is."""
    return suite.endpoint == "simulator" or is_loopback(suite.endpoint)


def trusted_endpoint(stored: str, given: str | None, run: Path) -> str:
    """Where to ask again what a run's folder, maybe somebody else's, says that it asked.

    Credentials go to AWS, to this machine, or where the user says (`given`). HarnessError: the folder says elsewhere.
    """
    if given is not None or stored in ("simulator", "aws") or is_loopback(stored):
        return given or stored
    raise HarnessError(
        f"{run}: names the endpoint {stored}, and your credentials would go there; "
        f"if that is right, say so: --endpoint {stored}"
    )


@asynccontextmanager
async def open_endpoint(suite: Suite, *, seed: int, simulator_options: Sequence[str] = ()) -> AsyncIterator[str]:
    """`aws` or the URL that the suite's endpoint stands for; the embedded Bedrock runs for as long as it is needed."""
    if suite.endpoint != "simulator":
        yield suite.endpoint
        return
    async with embedded_bedrock(suite, seed=seed, options=simulator_options) as url:
        yield url


@asynccontextmanager
async def progress_shown(progress: Progress, *, duration_s: float | None, quiet: bool) -> AsyncIterator[None]:
    """Progress on stderr while inside, unless quiet."""
    if quiet:
        yield
        return
    async with asyncio.TaskGroup() as tasks:
        showing = tasks.create_task(show_progress(progress, duration_s=duration_s))
        try:
            yield
        finally:
            showing.cancel()


@contextmanager
def failures_reported(folder: RunFolder) -> Iterator[None]:
    """A run that breaks is marked `failed`; its journal is kept. RunInvalid where it is not a bug."""
    try:
        yield
    except Exception as error:
        write_state(folder, "failed")
        if isinstance(error, HarnessError):
            raise RunInvalid(f"{error}\nthe run failed; {_told_by(folder)}") from error
        raise


def _told_by(folder: RunFolder) -> str:
    """Where to look for what an ended load has left."""
    if folder.read_manifest().kind == "sweep":
        return f"what was recorded is in {folder.path}"
    return f"`harness report {folder.path}` reports on what there is"


def write_state(folder: RunFolder, state: State) -> None:
    """Say in the manifest how the run ended."""
    with suppress(HarnessError):  # a full disk must not hide what went wrong
        folder.write_manifest(msgspec.structs.replace(folder.read_manifest(), state=state))


async def send_and_store(
    load: Coroutine[Any, Any, Sequence[ClientHealth]], folder: RunFolder, stop: Stop, interrupts: Interrupts
) -> bool:
    """Make a load under the user's interrupts, then turn its journals into Parquet.

    False: a second interrupt stopped it at once, and its journals are as they are.
    """
    with failures_reported(folder):
        with interrupts.watched():
            try:
                clients = await load
            except asyncio.CancelledError:
                if interrupts.count < 2:
                    raise
                write_state(folder, "interrupted")
                print(f"stopped; {_told_by(folder)}", file=sys.stderr)
                return False
        with one_writer(folder.path):
            folder.finalise(
                "complete" if stop.reason is None else "interrupted",
                findings=[] if stop.reason is None else [_ended_early(stop.reason)],
                clients=clients,
            )
    return True


def _ended_early(reason: Reason) -> Finding:
    return Finding(what=f"the run ended early: {reason.what}", remedy=reason.remedy)
