"""A run folder: its files, its manifest, and the conversion from journal to Parquet at the end of a run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec

from harness.errors import StoreError
from harness.files import PRIVATE_FOLDER, read_bounded
from harness.store.client_health import ClientHealth
from harness.store.conversion import Conversion, RunIds, convert_journals, remove_journal
from harness.store.files import make_folder, write_atomically
from harness.store.finding import Finding
from harness.store.manifest import Manifest, State
from harness.store.records import SCHEMA_VERSION
from harness.suite.private_texts import storable_suite
from harness.suite.suite import Suite

MAX_MANIFEST_BYTES = 100_000_000


class RunFolder(msgspec.Struct, frozen=True):
    """`results/<run id>/` and the paths in it."""

    path: Path

    @property
    def manifest_path(self) -> Path:
        return self.path / "manifest.json"

    @property
    def attempts_path(self) -> Path:
        return self.path / "attempts.parquet"

    @property
    def scores_path(self) -> Path:
        return self.path / "scores.parquet"

    @property
    def judgements_path(self) -> Path:
        """Results of judges and of the user's own functions. Missing if the suite has neither."""
        return self.path / "judgements.jsonl"

    @property
    def summary_path(self) -> Path:
        return self.path / "summary.json"

    def journal_path(self, shard: int = 0) -> Path:
        """`attempts.jsonl`; `attempts-1.jsonl`, … for further shards."""
        return self.path / (f"attempts-{shard}.jsonl" if shard else "attempts.jsonl")

    def journals(self) -> list[Path]:
        """The journals, one per shard. Empty once the run is finalised."""
        return sorted(self.path.glob("attempts*.jsonl"))

    def read_manifest(self) -> Manifest:
        """The manifest. StoreError: the folder is not a run, or was written by a newer harness."""
        try:
            text = read_bounded(self.manifest_path, max_bytes=MAX_MANIFEST_BYTES)
            manifest = msgspec.json.decode(text, type=Manifest)
        except FileNotFoundError:
            raise StoreError(f"{self.path}: not a run (no manifest.json); name a folder under results/") from None
        except OSError as error:
            raise StoreError(f"{self.manifest_path}: cannot be read: {error.strerror}") from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise StoreError(
                f"{self.manifest_path}: not a manifest of a run: {error}; restore it or delete the folder"
            ) from error
        if manifest.schema_version > SCHEMA_VERSION:
            raise StoreError(
                f"{self.path}: was written by a newer harness ({manifest.versions.get('harness')}); upgrade"
            )
        return manifest

    def read_suite(self) -> Suite:
        """The suite that was run. SuiteError: it cannot be read."""
        from harness.suite.stored import read_suite

        return read_suite(self.path)

    def write_suite(self, suite: Suite) -> None:
        """Write `suite.json`, which is read back, and `suite.yaml` for people."""
        from harness.suite.stored import FILE, YAML_FILE, encode_suite
        from harness.suite.write import suite_yaml

        write_atomically(self.path / FILE, encode_suite(suite))
        write_atomically(self.path / YAML_FILE, suite_yaml(suite).encode())

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace the manifest atomically: readers see the old one or the new one."""
        text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
        write_atomically(self.manifest_path, text + b"\n")

    def finalise(
        self,
        state: State,
        *,
        findings: Sequence[Finding] = (),
        clients: Sequence[ClientHealth] = (),
        prompts: Collection[str] | None = None,
    ) -> Manifest:
        """End a run: convert the journals to `attempts.parquet`, write `state`, and remove the journals.

        May be called again after a crash at any point. Attempts that are already in `attempts.parquet` stay, so a
        resumed run adds to them. Of a damaged journal, the intact lines are stored, a finding reports the rest, and the
        journal is kept as `attempts.jsonl.damaged`. `prompts`: the prompt ids that attempts may have; None: any.
        StoreError, with nothing changed: the Parquet file would not hold every attempt exactly once.
        """
        manifest, journals = self.read_manifest(), self.journals()
        converted = self._convert(manifest, journals, prompts)
        all_findings = (*manifest.findings, *findings, *converted.findings)
        manifest = msgspec.structs.replace(
            manifest,
            state=state,
            attempts=converted.attempts,
            findings=tuple(dict.fromkeys(all_findings)),
            clients=(*manifest.clients, *clients),
        )
        self.write_manifest(manifest)
        for journal in journals:
            remove_journal(journal, damaged=journal in converted.damaged)
        return manifest

    def _convert(self, manifest: Manifest, journals: Sequence[Path], prompts: Collection[str] | None) -> Conversion:
        if os.path.lexists(self.attempts_path) and not self.attempts_path.is_file():
            raise StoreError(f"{self.attempts_path}: not a regular file; remove it")
        if not journals and self.attempts_path.exists():
            from harness.store.parquet import count_rows

            return Conversion(attempts=count_rows(self.attempts_path)[0])
        ids = RunIds(
            run_id=manifest.run_id,
            targets=frozenset(target.name for target in manifest.targets),
            prompts=None if prompts is None else frozenset(prompts),
        )
        return convert_journals(journals, self.attempts_path, ids)


def create_run(results: Path, manifest: Manifest, suite: Suite) -> RunFolder:
    """Create the folder of a run that starts now, with its manifest and what may be stored of its suite.

    StoreError: it cannot be created.
    """
    run = RunFolder(results / manifest.run_id)
    try:
        make_folder(results)
        run.path.mkdir(mode=PRIVATE_FOLDER)
    except OSError as error:
        raise StoreError(
            f"{run.path}: cannot be created: {error.strerror}; choose another folder with --out"
        ) from error
    stored = storable_suite(suite)
    try:
        run.write_suite(stored)
        run.write_manifest(msgspec.structs.replace(manifest, targets=stored.targets))
    except StoreError:
        shutil.rmtree(run.path, ignore_errors=True)
        raise
    return run


def list_runs(results: Path, *, sweeps: bool = False) -> list[RunFolder]:
    """The runs in a folder that have a readable manifest, oldest first, in any state.

    `sweeps`: include sweeps.
    """
    runs = _split_runs(results)[0]
    return runs if sweeps else [run for run in runs if run.read_manifest().kind == "run"]


def unreadable_runs(results: Path) -> list[str]:
    """One message for each run whose manifest cannot be read."""
    return _split_runs(results)[1]


def without_copies(folders: Sequence[RunFolder]) -> tuple[list[RunFolder], list[str]]:
    """Each run once, and one message for each folder that holds a copy."""
    first: dict[str, RunFolder] = {}
    copies = []
    for folder in folders:
        run_id = folder.read_manifest().run_id
        if first.setdefault(run_id, folder) is not folder:
            copies.append(f"{folder.path}: is a copy of {first[run_id].path}, so it is counted once")
    return list(first.values()), copies


def latest_run(results: Path) -> RunFolder:
    """The run that started last, in any state. StoreError: there is none."""
    runs = list_runs(results)
    if runs:
        return runs[-1]
    raise StoreError(
        "\n".join(unreadable_runs(results))
        or f"{results}: holds no runs; `harness run SUITE --out {results}` makes one"
    )


def _split_runs(results: Path) -> tuple[list[RunFolder], list[str]]:
    """Readable runs, oldest first, and one message for each of the others."""
    readable: list[tuple[str, RunFolder]] = []
    unreadable: list[str] = []
    for path in sorted(results.glob("*/manifest.json")):
        run = RunFolder(path.parent)
        try:
            readable.append((run.read_manifest().run_id, run))
        except StoreError as error:
            unreadable.append(str(error))
    return [run for _, run in sorted(readable, key=lambda each: each[0])], unreadable
