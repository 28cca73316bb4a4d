"""Opens a run for reading: checks that it has ended and can be read, or finishes it from its journal."""

from __future__ import annotations

import os
from pathlib import Path

from harness.errors import StoreError, SuiteError
from harness.store.conversion import check_stored
from harness.store.files import find_writer
from harness.store.journal import is_locked
from harness.store.manifest import State
from harness.store.query import split_readable
from harness.store.run_folder import RunFolder

_NOTHING_STORED: dict[State, str] = {
    "complete": "the run was complete, so the file was removed later: restore it or delete the folder",
    "interrupted": "the run was interrupted before it stored anything: complete it with `harness run --resume RUN`",
    "failed": "the run failed before it stored anything: complete it with `harness run --resume RUN`",
}


def open_run(path: Path, *, recover: bool = False) -> RunFolder:
    """Open a run that has ended. `recover`: first finish a killed or stopped run from its journal.

    StoreError: the folder is not a run, the run is still running, it has a journal and `recover` is not set, or no
    attempts are stored.
    """
    run = RunFolder(path)
    manifest = run.read_manifest()
    if manifest.kind == "sweep":
        raise StoreError(f"{path}: is a sweep, not a run; read its sweep.md, or name a run")
    journals = run.journals()
    if manifest.state == "running" or journals:
        writer = None if recover else find_writer(path)
        if writer is not None or any(is_locked(journal) for journal in journals):
            raise StoreError(f"{path}: is still running in {writer or 'another process'}; wait for it to finish")
        if not recover:
            how = "killed" if manifest.state == "running" else "stopped"
            raise StoreError(
                f"{path}: was {how} before it ended; `harness report {path}` finishes it from its journal, "
                f"`harness run --resume {path}` completes it"
            )
        run.finalise("interrupted" if manifest.state == "running" else manifest.state, prompts=_prompt_ids(run))
    if not os.path.lexists(run.attempts_path):
        raise StoreError(f"{path}: has no attempts.parquet; {_NOTHING_STORED[manifest.state]}")
    if mistakes := split_readable([run], scores=False)[1]:
        raise StoreError(mistakes[0])
    check_stored(run.attempts_path, [target.name for target in manifest.targets])
    return run


def _prompt_ids(run: RunFolder) -> list[str] | None:
    """The ids of the suite's prompts. None: the suite cannot be read, which is reported once it is needed."""
    try:
        return [prompt.id for prompt in run.read_suite().prompts]
    except SuiteError:
        return None
