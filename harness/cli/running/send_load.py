"""Sends a load: opens the endpoint, creates the run's folder, sends, and stores every attempt."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from functools import partial
from typing import Protocol

import msgspec
import uvloop

from harness.analysis.findings import stopped_target
from harness.cli.options import RunContext
from harness.cli.running.endpoint import is_simulated, open_endpoint
from harness.cli.running.overrides import check_account
from harness.clock import read_origin
from harness.endpoints.address import forget_aws
from harness.errors import HarnessError, RunInvalid
from harness.load.interrupts import Interrupts
from harness.load.progress import Progress, Tally
from harness.load.session import Job, start_progress
from harness.load.stop import INTERRUPTED, Stop
from harness.report.live.show import show_progress
from harness.store.client_health import ClientHealth
from harness.store.files import one_writer
from harness.store.finding import ENDED_EARLY, Finding, is_settled_by_resuming
from harness.store.manifest import Kind, Manifest, Resumption, State, new_manifest
from harness.store.run_folder import RunFolder, create_run
from harness.suite.suite import Suite


class Sender(Protocol):
    """Sends a load through open clients and writes every attempt to a journal in the run's folder."""

    async def send(self, job: Job, folder: RunFolder, progress: Progress, stop: Stop) -> Sequence[ClientHealth]: ...


OpenSender = Callable[[str, Stop], AbstractAsyncContextManager[Sender]]
"""Opens a sender for an endpoint (a URL or `aws`). The `Stop` ends the load early."""


class RunToResume(msgspec.Struct, frozen=True, kw_only=True):
    """A run without journals that lacks a part of its plan."""

    folder: RunFolder
    planned: Mapping[str, int] | None
    """Requests to send, by target. None: unknown."""
    cost_usd: float
    """Known, so far."""
    charged_usd: float
    """What counts in the budget so far."""
    last_ns: int
    """The last stamp so far, on the run's clock, which goes on from there."""
    findings: tuple[Finding, ...] = ()
    """About its being resumed."""


class SentLoad(msgspec.Struct, frozen=True):
    """A load whose attempts are stored. `interrupted`: by Ctrl-C, SIGTERM or SIGHUP."""

    folder: RunFolder
    interrupted: bool


def send_load(
    suite: Suite,
    context: RunContext,
    open_sender: OpenSender,
    *,
    kind: Kind = "run",
    counts: Mapping[str, int] | None = None,
    simulator_options: Sequence[str] = (),
    resumed: RunToResume | None = None,
    locks: ExitStack,
) -> SentLoad | None:
    """Send a suite's load and store its attempts. None if it was stopped at once, which leaves only the journal.

    `counts`: planned requests by phase, if known. `resumed`: add to this run, whose folder is locked, instead of a new
    one, whose lock `locks` holds from then on. HarnessError: before anything is sent. RunInvalid: after that.
    """
    _prepare(suite, context)
    if resumed is None:
        begin = partial(_create, suite, context, kind, counts, locks)
        progress = start_progress(suite, counts, seed=context.seed)
    else:
        begin, progress = partial(_go_on, resumed), _progress_from(suite, resumed)
    scheduled = kind == "run" and resumed is None
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            return runner.run(_send(suite, context, open_sender, begin, progress, scheduled, simulator_options))
        except asyncio.CancelledError:  # a second interrupt that came as the load ended
            raise KeyboardInterrupt from None


def _prepare(suite: Suite, context: RunContext) -> None:
    """Check the account, prepare the environment for the endpoint, and print the suite's warnings and notes."""
    if context.preflight:
        check_account(suite)
    if is_simulated(suite):
        forget_aws()
    for warning in suite.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if not context.quiet:
        for note in suite.notes:
            print(f"note: {note}", file=sys.stderr)


async def _send(
    suite: Suite,
    context: RunContext,
    open_sender: OpenSender,
    begin: Callable[[], tuple[RunFolder, Job]],
    progress: Progress,
    scheduled: bool,
    simulator_options: Sequence[str],
) -> SentLoad | None:
    stop, interrupts = Stop(), context.interrupts or Interrupts()
    endpoint = open_endpoint(suite, seed=context.seed, simulator_options=simulator_options)
    async with (
        AsyncExitStack() as until_closed,
        endpoint as url,
        open_sender(url, stop) as sender,
        _metrics_served(progress, suite, context),
    ):
        folder, job = begin()
        with _failures_reported(folder):
            try:
                until_closed.enter_context(_interruptible(interrupts, stop))
                async with _progress_shown(progress, suite, context, scheduled=scheduled):
                    clients = await sender.send(job, folder, progress, stop)
            except asyncio.CancelledError:
                if interrupts.count < 2:
                    raise
                _write_state(folder, "interrupted")
                print(f"stopped; {_next_step(folder)}", file=sys.stderr)
                return None
            _store(folder, stop, progress, clients)
    return SentLoad(folder, interrupts.count > 0)


def _create(
    suite: Suite, context: RunContext, kind: Kind, counts: Mapping[str, int] | None, locks: ExitStack
) -> tuple[RunFolder, Job]:
    """Create the folder of a run that starts now, and lock it."""
    manifest = new_manifest(
        suite,
        endpoint=suite.endpoint,
        simulated=is_simulated(suite),
        seed=context.seed,
        planned=None if counts is None else sum(counts.values()),
        kind=kind,
    )
    folder = create_run(context.out, manifest, suite)
    locks.enter_context(one_writer(folder.path, wait=False))
    return folder, Job(run_id=manifest.run_id, seed=manifest.seed, origin_ns=manifest.origin_monotonic_ns)


def _go_on(resumed: RunToResume) -> tuple[RunFolder, Job]:
    """Write into the manifest that the run goes on. Its clock goes on from its last stamp."""
    manifest, now = resumed.folder.read_manifest(), read_origin()
    manifest = without_settled(manifest, resumed.findings)
    resumption = Resumption(at_ns=resumed.last_ns, utc_ns=now.utc_ns)
    manifest = msgspec.structs.replace(manifest, state="running", resumed=(*manifest.resumed, resumption))
    resumed.folder.write_manifest(manifest)
    job = Job(
        run_id=manifest.run_id,
        seed=manifest.seed,
        origin_ns=now.monotonic_ns - resumed.last_ns,
        spent_usd=resumed.charged_usd,
    )
    return resumed.folder, job


def without_settled(manifest: Manifest, findings: Sequence[Finding]) -> Manifest:
    """A manifest without the findings that no longer hold once the run is resumed, and with new ones."""
    kept = (each for each in manifest.findings if not is_settled_by_resuming(each))
    return msgspec.structs.replace(manifest, findings=tuple(dict.fromkeys((*kept, *findings))))


def _progress_from(suite: Suite, resumed: RunToResume) -> Progress:
    """Tallies of what is sent from now on, and the money spent before."""
    each = set[int]() if resumed.planned is None else {resumed.planned.get(target.name, 0) for target in suite.targets}
    tallies = {target.name: Tally() for target in suite.targets}
    return Progress(planned=each.pop() if len(each) == 1 else None, tallies=tallies, earlier_usd=resumed.cost_usd)


def _store(folder: RunFolder, stop: Stop, progress: Progress, clients: Sequence[ClientHealth]) -> None:
    """Turn the journals into Parquet, and record in the manifest how the load ended."""
    findings = [stopped_target(each) for each in progress.stopped.values()]
    if stop.reason not in (None, INTERRUPTED):  # of which the state says enough
        findings.append(Finding(what=f"{ENDED_EARLY}{stop.reason.what}", remedy=stop.reason.remedy))
    folder.finalise("complete" if stop.reason is None else "interrupted", findings=findings, clients=clients)


@contextmanager
def _interruptible(interrupts: Interrupts, stop: Stop) -> Iterator[None]:
    """Let the first interrupt stop the load, whose requests in flight finish, and the second cancel this task.

    Further ones do nothing: they must not cut short what stores the answers and closes the rest.
    """
    task = asyncio.current_task()
    assert task is not None
    asked = 0

    def end() -> None:
        nonlocal asked
        asked += 1
        if asked == 2:
            task.cancel()
        if asked > 1:
            return
        stop.request(INTERRUPTED)
        print("\ninterrupted: finishing requests in flight; interrupt again to stop at once", file=sys.stderr)

    with interrupts.handled(end):
        for _ in range(interrupts.count):  # before anything was sent
            end()
        yield


@asynccontextmanager
async def _progress_shown(
    progress: Progress, suite: Suite, context: RunContext, *, scheduled: bool
) -> AsyncIterator[None]:
    """Show progress on stderr inside this context, unless quiet."""
    if context.quiet:
        yield
        return
    async with asyncio.TaskGroup() as tasks:
        showing = tasks.create_task(show_progress(progress, suite, scheduled=scheduled))
        try:
            yield
        finally:
            showing.cancel()


@asynccontextmanager
async def _metrics_served(progress: Progress, suite: Suite, context: RunContext) -> AsyncIterator[None]:
    """Serve the counts to Prometheus inside this context, if asked to. HarnessError: the address is taken."""
    if context.prometheus is None:
        yield
        return
    from harness.report.live.scrape import serve_metrics

    at = context.prometheus
    async with serve_metrics(progress, suite, at.host, at.port, simulated=is_simulated(suite)) as url:
        if not context.quiet:
            print(f"metrics for Prometheus: {url}", file=sys.stderr)
        yield


@contextmanager
def _failures_reported(folder: RunFolder) -> Iterator[None]:
    """Set the state of a run that fails to `failed`. RunInvalid in place of any other HarnessError."""
    try:
        yield
    except Exception as error:
        _write_state(folder, "failed")
        if isinstance(error, HarnessError):
            raise RunInvalid(f"{error}\nthe run failed; {_next_step(folder)}") from error
        raise


def _next_step(folder: RunFolder) -> str:
    """Where to find the attempts of a load that did not finish, or how to report on them."""
    if folder.read_manifest().kind == "sweep":
        return f"its attempts are in {folder.path}"
    how = f"`harness run --resume {folder.path}` completes it"
    return f"{how}, `harness report {folder.path}` reports on what was recorded"


def _write_state(folder: RunFolder, state: State) -> None:
    """Record in the manifest how the run ended."""
    with suppress(HarnessError):  # a full disk must not hide what went wrong
        folder.write_manifest(msgspec.structs.replace(folder.read_manifest(), state=state))
