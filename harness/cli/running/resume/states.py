"""How far the runs in a folder are, and which of them can be resumed."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal

import msgspec

from harness.analysis.past_runs import read_stored_run
from harness.clock import utc_from_ns
from harness.errors import HarnessError, StoreError
from harness.files import read_lines
from harness.store.files import find_writer
from harness.store.finding import is_settled_by_resuming
from harness.store.journal import is_locked
from harness.store.manifest import Kind, Manifest
from harness.store.query import connect
from harness.store.records import SCHEMA_VERSION
from harness.store.run_folder import RunFolder, list_runs, unreadable_runs

RunState = Literal["running", "killed", "interrupted", "failed", "ungraded", "complete"]
"""`ungraded`: every request is recorded, and the answers are still to be graded, or the report to be written."""


class RunProgress(msgspec.Struct, frozen=True, kw_only=True):
    """A run, how far it is, and how to complete it. Texts are hostile: somebody else may have made the folder."""

    run_id: str
    kind: Kind
    path: str
    suite: str
    started_utc: str
    """ISO 8601, seconds, `Z`."""
    state: RunState
    process: str | None
    """The process that works on it: `process 4711 (since …)`."""
    recorded: int | None
    """Requests with an attempt. None: its files cannot be read."""
    planned: int | None
    """Requests of the plan. None: unknown, as a duration bounds them."""
    resume: str | None
    """The command that completes it. None: it has all requests, is at work, or cannot be resumed."""


class RunsProgress(msgspec.Struct, frozen=True, kw_only=True):
    """The runs of a folder, the latest first, and a message for each that cannot be read."""

    runs: list[RunProgress]
    unreadable: list[str]


class _Line(msgspec.Struct, frozen=True):
    request_id: str


def read_progress(results: Path) -> RunsProgress:
    """How far each run in a folder is. Nothing is changed, and no run is waited for."""
    runs = [_read(run) for run in reversed(list_runs(results, sweeps=True))]
    return RunsProgress(runs=runs, unreadable=unreadable_runs(results))


def _read(run: RunFolder) -> RunProgress:
    manifest, process = run.read_manifest(), find_writer(run.path)
    state = _state(run, manifest, process)
    return RunProgress(
        run_id=manifest.run_id,
        kind=manifest.kind,
        path=str(run.path),
        suite=manifest.suite,
        started_utc=f"{utc_from_ns(manifest.origin_utc_ns):%Y-%m-%dT%H:%M:%SZ}",
        state=state,
        process=process,
        recorded=_count_recorded(run),
        planned=manifest.planned,
        resume=None if process is not None else _command(run, manifest, state),
    )


def _state(run: RunFolder, manifest: Manifest, process: str | None) -> RunState:
    if manifest.state == "running":
        return "running" if process is not None or _has_writers(run) else "killed"
    if manifest.state != "complete" or manifest.kind == "sweep":
        return manifest.state
    summary = read_stored_run(run).summary
    reported = summary is not None and summary.state == "complete" and run.scores_path.is_file()
    return "complete" if reported and not run.journals() else "ungraded"


def _has_writers(run: RunFolder) -> bool:
    """Whether a worker of a killed process is still writing."""
    try:
        return any(map(is_locked, run.journals()))
    except StoreError:
        return False


def _count_recorded(run: RunFolder) -> int | None:
    """Requests with an attempt, in the journals or in attempts.parquet."""
    decoder, journals = msgspec.json.Decoder(_Line), run.journals()
    recorded: set[str] = set()
    try:
        for journal in journals:
            for line in read_lines(journal, follow=False):
                if line is not None and line.endswith(b"\n"):
                    recorded.add(decoder.decode(line).request_id)
        with closing(connect([run])) as connection:
            if not journals:
                ((count,),) = connection.execute("SELECT count(DISTINCT request_id) FROM attempts").fetchall()
                return int(count)
            found = connection.execute("SELECT DISTINCT request_id FROM attempts").fetchall()
    except (OSError, HarnessError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return len(recorded.union(request_id for (request_id,) in found))


def _command(run: RunFolder, manifest: Manifest, state: RunState) -> str | None:
    """`harness run --resume results/…`, with SUITE if the folder lacks its documents or texts."""
    whole = state == "complete" and not any(map(is_settled_by_resuming, manifest.findings))
    if whole or state == "running" or manifest.kind == "sweep" or manifest.schema_version != SCHEMA_VERSION:
        return None
    try:
        suite = run.read_suite()
    except HarnessError:
        return None
    lacks_some = not suite.texts_as_sent or any(prompt.documents or prompt.images for prompt in suite.prompts)
    words: Sequence[str] = ("harness", "run", *(["SUITE"] if lacks_some else []), "--resume", str(run.path))
    return shlex.join(words)
