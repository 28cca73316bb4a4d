"""Runs a suite from a script or a notebook, in a thread of its own, whatever runs around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from harness.cli.options import MOST_REPEATS, MOST_SEED, MOST_WORKERS, RunContext, Workers
from harness.cli.places import RESULTS, local_path
from harness.cli.running.overrides import Overrides, load_for_run
from harness.cli.running.run_suite import ReportedRun, send_and_grade
from harness.errors import HarnessError
from harness.library.run import Run
from harness.load.interrupts import Interrupts
from harness.secrets import remember_environment

T = TypeVar("T")


def run(
    suite: str | Path,
    *,
    endpoint: str | None = None,
    targets: Sequence[str] = (),
    repeats: int | None = None,
    budget_usd: float | None = None,
    out: str | Path = RESULTS,
    seed: int = 1,
    workers: int = 1,
    preflight: bool = True,
    progress: bool = False,
) -> Run:
    """Send a suite to all its targets, grade the answers, write the reports, and return the run.

    Like `harness run`; see there for what the arguments mean. It blocks until the run has ended, also inside a running
    event loop; `await asyncio.to_thread(harness.run, suite)` does not block that loop. `progress`: show it on standard
    error, where warnings go. Nothing is written to standard output.

    Ctrl-C lets requests in flight finish, stores and reports what there is, and then raises KeyboardInterrupt; a second
    one stops at once. Signals are not handled otherwise.

    HarnessError: a mistake in the suite or the arguments; nothing was sent. RunInvalid: the run failed, or the account
    is not ready for it (`preflight`). A run that has ended is returned even if it is invalid; see `Run.valid`.
    """
    _check(repeats=repeats, seed=seed, workers=workers)
    remember_environment()
    results = local_path(out)
    loaded = load_for_run(
        local_path(suite),
        Overrides(endpoint=endpoint, targets=tuple(targets), repeats=repeats, budget_usd=budget_usd),
    )
    interrupts = Interrupts()
    context = RunContext(
        out=results,
        seed=seed,
        quiet=not progress,
        interrupts=interrupts,
        index=True,
        workers=Workers(count=workers),
        preflight=preflight,
    )

    def send() -> ReportedRun | None:
        return send_and_grade(loaded, context)

    done = run_in_thread(send, interrupts)
    if done is None or done.interrupted:
        raise KeyboardInterrupt
    return Run(done.folder)


def _check(*, repeats: int | None, seed: int, workers: int) -> None:
    """HarnessError: a number is outside the range that `harness run` accepts."""
    for name, value, least, most in (
        ("repeats", 1 if repeats is None else repeats, 1, MOST_REPEATS),
        ("seed", seed, 0, MOST_SEED),
        ("workers", workers, 1, MOST_WORKERS),
    ):
        if not least <= value <= most:
            raise HarnessError(f"{name}={value}: must be from {least:,} to {most:,}")


def run_in_thread(work: Callable[[], T], interrupts: Interrupts) -> T:
    """Run `work` in a thread without an event loop, and return or raise what it does.

    A Ctrl-C while this waits interrupts the work through `interrupts`, and is raised again once that has ended.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="harness") as pool:
        future = pool.submit(work)
        while True:
            try:
                result = future.result()
            except KeyboardInterrupt:
                if future.done():
                    raise
                interrupts.interrupt()
            else:
                break
    if interrupts.count:
        raise KeyboardInterrupt
    return result
