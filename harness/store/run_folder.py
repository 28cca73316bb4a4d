"""A run's folder: its files, its state, and the step from journal to Parquet that ends a run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.errors import StoreError
from harness.store.attempt import SCHEMA_VERSION, Attempt
from harness.store.client_health import ClientHealth
from harness.store.finding import Finding
from harness.store.journal import cut_torn_line, is_locked, measure_journal
from harness.store.manifest import Manifest, State

_NOTHING_STORED: dict[State, str] = {
    "complete": "the run was complete, so the file went away since: restore it or delete the folder",
    "interrupted": "the run was interrupted before it stored anything: run the suite again",
    "failed": "the run failed before it stored anything: run the suite again",
}


class RunFolder(msgspec.Struct, frozen=True):
    """`results/<run id>/` and where things are in it."""

    path: Path

    @property
    def manifest_path(self) -> Path:
        return self.path / "manifest.json"

    @property
    def suite_path(self) -> Path:
        """The frozen suite."""
        return self.path / "suite.yaml"

    @property
    def attempts_path(self) -> Path:
        return self.path / "attempts.parquet"

    @property
    def scores_path(self) -> Path:
        return self.path / "scores.parquet"

    @property
    def judgements_path(self) -> Path:
        """What judges and the user's own functions said of the answers; not there where none was asked."""
        return self.path / "judgements.jsonl"

    @property
    def summary_path(self) -> Path:
        return self.path / "summary.json"

    def journal_path(self, shard: int = 0) -> Path:
        """`attempts.jsonl`; further shards `attempts-1.jsonl`, …"""
        return self.path / (f"attempts-{shard}.jsonl" if shard else "attempts.jsonl")

    def journals(self) -> list[Path]:
        """The journals that are there, one a shard; none once the run was finalised."""
        return sorted(self.path.glob("attempts*.jsonl"))

    def read_manifest(self) -> Manifest:
        """StoreError when the folder is no run's, or a newer harness wrote it."""
        try:
            text = self.manifest_path.read_bytes()
            manifest = msgspec.json.decode(text, type=Manifest)
        except FileNotFoundError:
            raise StoreError(f"{self.path}: no run is here (no manifest.json); name a folder under results/") from None
        except OSError as error:
            raise StoreError(f"{self.manifest_path}: cannot be read: {error.strerror}") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StoreError(
                f"{self.manifest_path}: not a manifest of a run: {error}; restore it or delete the folder"
            ) from error
        if manifest.schema_version > SCHEMA_VERSION:
            raise StoreError(f"{self.path}: was made by a newer harness ({manifest.versions.get('harness')}); upgrade")
        return manifest

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace the manifest in one step: readers see the old one or the new one."""
        text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
        write_whole(self.manifest_path, text + b"\n")

    def finalise(
        self, state: State, *, findings: Sequence[Finding] = (), clients: Sequence[ClientHealth] = ()
    ) -> Manifest:
        """End a run: journals become `attempts.parquet`, are removed once that was read back, and `state` is written.

        May be called again after a crash at any point. Attempts of an earlier `attempts.parquet` are kept, so a
        resumed run adds to it. StoreError when the Parquet file does not hold every attempt exactly once; the
        journals are kept then.
        """
        manifest = self.read_manifest()
        attempts, torn_bytes = self._convert_journals()
        manifest = msgspec.structs.replace(
            manifest,
            state=state,
            attempts=attempts,
            findings=(*manifest.findings, *findings, *_torn_finding(torn_bytes)),
            clients=(*manifest.clients, *clients),
        )
        self.write_manifest(manifest)
        return manifest

    def _convert_journals(self) -> tuple[int, int]:
        """Journals → Parquet; returns the attempts stored and the bytes of torn lines."""
        from harness.store.parquet import count_rows, write_parquet

        journals = self.journals()
        earlier = self.attempts_path if self.attempts_path.exists() else None
        if earlier is not None and not journals:
            return count_rows(earlier)[0], 0
        torn_bytes = sum(cut_torn_line(journal) for journal in journals)
        extents = [measure_journal(journal) for journal in journals]
        written = write_parquet(
            Attempt,
            journals,
            self.attempts_path,
            longest_line=max((extent.longest for extent in extents), default=0),
            earlier=earlier,
            key="attempt_id",
        )
        self._check_attempts(at_least=sum(extent.lines for extent in extents), written=written)
        for journal in journals:
            journal.unlink()
        return written, torn_bytes

    def _check_attempts(self, *, at_least: int, written: int) -> None:
        from harness.store.parquet import count_rows

        rows, ids, tries = count_rows(self.attempts_path, "attempt_id", "concat(request_id, ' ', try_no)")
        if rows != written or rows < at_least:
            raise StoreError(
                f"{self.attempts_path}: holds {rows} attempts, the journal {at_least}; the journal is kept"
            )
        if min(ids, tries) < rows:
            raise StoreError(
                f"{self.attempts_path}: {rows - min(ids, tries)} attempts are there twice;"
                " the journal is kept, please report this as a bug"
            )


def create_run(results: Path, manifest: Manifest, suite_text: str) -> RunFolder:
    """Make the folder of a run that starts now, with its manifest and frozen suite. StoreError: cannot be made."""
    run = RunFolder(results / manifest.run_id)
    try:
        results.mkdir(parents=True, exist_ok=True)
        run.path.mkdir()
    except OSError as error:
        raise StoreError(f"{run.path}: cannot be made: {error.strerror}; choose another folder with --out") from error
    write_whole(run.suite_path, suite_text.encode())
    run.write_manifest(manifest)
    return run


def open_run(path: Path, *, recover: bool = False) -> RunFolder:
    """A run that has ended. `recover`: finalise from its journal a run that was killed or stopped before that.

    StoreError for a folder that is no run, is still running, has a journal that is not to be recovered, or holds
    nothing.
    """
    run = RunFolder(path)
    manifest = run.read_manifest()
    if manifest.kind == "sweep":
        raise StoreError(f"{path}: is a sweep, whose attempts are of many loads; its report is sweep.md, or name a run")
    journals = run.journals()
    if manifest.state == "running" or journals:
        if any(is_locked(journal) for journal in journals):
            raise StoreError(f"{path}: is still running; wait until it has ended")
        if not recover:
            how = "killed" if manifest.state == "running" else "stopped"
            raise StoreError(f"{path}: was {how} before it ended; `harness report {path}` finishes it from its journal")
        run.finalise("interrupted" if manifest.state == "running" else manifest.state)
    if not run.attempts_path.exists():
        raise StoreError(f"{path}: has no attempts.parquet; {_NOTHING_STORED[manifest.state]}")
    return run


def list_runs(results: Path, *, sweeps: bool = False) -> list[RunFolder]:
    """The runs in a folder whose manifest can be read, oldest first, whatever their state and their folder's name.

    `sweeps`: those of `harness sweep`, too.
    """
    runs = _split_runs(results)[0]
    return runs if sweeps else [run for run in runs if run.read_manifest().kind == "run"]


def unreadable_runs(results: Path) -> list[str]:
    """What is wrong with each run that `list_runs` leaves out, one message a run."""
    return _split_runs(results)[1]


def latest_run(results: Path) -> RunFolder:
    """The readable run that started last, whatever its state. StoreError when there is none."""
    runs = list_runs(results)
    if runs:
        return runs[-1]
    raise StoreError(
        "\n".join(unreadable_runs(results))
        or f"{results}: holds no runs; `harness run SUITE --out {results}` makes one"
    )


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all. StoreError: disk full, no permission."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from error


def _split_runs(results: Path) -> tuple[list[RunFolder], list[str]]:
    """Readable runs, oldest first, and what is wrong with the others."""
    found: list[tuple[str, RunFolder]] = []
    unreadable: list[str] = []
    for path in sorted(results.glob("*/manifest.json")):
        run = RunFolder(path.parent)
        try:
            found.append((run.read_manifest().run_id, run))
        except StoreError as error:
            unreadable.append(str(error))
    return [run for _, run in sorted(found, key=lambda each: each[0])], unreadable


def _torn_finding(torn_bytes: int) -> tuple[Finding, ...]:
    if not torn_bytes:
        return ()
    return (
        Finding(
            what=f"the run was killed while it wrote: {torn_bytes} bytes of an unfinished line were dropped",
            remedy="the attempt they belonged to is missing; run the suite again for a whole result",
        ),
    )
