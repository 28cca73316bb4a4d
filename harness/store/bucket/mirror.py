"""A copy on this machine of what was needed of a bucket, in the user's cache folder: only what is new is fetched."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from urllib.parse import quote, urlsplit

import msgspec

from harness.characters import counted
from harness.errors import StoreError
from harness.files import PRIVATE_FOLDER, read_bounded
from harness.store.bucket.address import BucketAddress
from harness.store.bucket.download import download_files
from harness.store.bucket.errors import BucketError, DamagedRun
from harness.store.bucket.inventory import Inventory
from harness.store.bucket.objects import Bucket, all_at_once
from harness.store.bucket.runs import RemoteRun, RemoteRuns, list_remote_runs
from harness.store.files import write_atomically

STATE = ".mirror.json"
MAX_STATE_BYTES = 500_000_000
MOST_FETCHED = 20_000_000_000
"""Bytes that one command fetches."""
WORTH_A_NOTE = 50_000_000
"""Bytes. A fetch of more is announced."""
_AWS = ".amazonaws.com"


class CachedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was fetched, as it was then: somebody may have written it since."""

    version: str
    mtime_ns: int
    size: int


class CachedRun(msgspec.Struct, kw_only=True):
    """What is here of a run."""

    etag: str = ""
    """Of its inventory."""
    inventory: Inventory = {}
    files: dict[str, CachedFile] = {}


class Mirror:
    """The copy of one address. Call `refresh` first. One process at a time: see `one_writer`."""

    def __init__(self, bucket: Bucket, folder: Path) -> None:
        self.folder = folder
        self.remote = RemoteRuns(runs={}, beside={})
        self.damaged: dict[str, str] = {}
        """Run → why its files cannot be used."""
        self._bucket = bucket
        self._state = _read_state(folder / STATE)

    async def refresh(self) -> None:
        """List the bucket, and forget what has changed or gone there. BucketError."""
        known = {name: (run.etag, run.inventory) for name, run in self._state.items()}
        self.remote = await list_remote_runs(self._bucket, known)
        readable = {run.name: run for run in self.remote.readable()}
        for entry in list(os.scandir(self.folder)):
            if entry.is_dir(follow_symlinks=False) and entry.name not in readable:
                shutil.rmtree(entry.path)
        self._state = {name: self._still_true(run) for name, run in readable.items()}

    def troubles(self) -> list[str]:
        """One message for each run that is left out."""
        return [*self.remote.troubles(), *self.damaged.values()]

    async def fetch(self, runs: Iterable[RemoteRun], names: Collection[str] | None) -> None:
        """Fetch these files of runs; None: all their files. A run whose files are damaged goes to `damaged`.

        BucketError; OSError: a file cannot be written.
        """
        wanted = {run.name: (run, self._lacking(run, names)) for run in runs if run.name not in self.damaged}
        sizes = [run.files[name].size for run, lacking in wanted.values() for name in lacking]
        self._announce(len(sizes), sum(sizes))
        try:
            await all_at_once([self._fetch_run(run, lacking) for run, lacking in wanted.values() if lacking])
        finally:
            write_atomically(self.folder / STATE, msgspec.json.encode(self._state))

    async def fetch_beside(self, name: str, *, max_bytes: int) -> None:
        """Fetch an object that lies beside the runs, or remove it here if there is none. BucketError, StoreError."""
        found = await self._bucket.read(name, max_bytes=max_bytes) if name in self.remote.beside else None
        if found is None:
            (self.folder / name).unlink(missing_ok=True)
        else:
            write_atomically(self.folder / name, found[0])

    def remove_own_files(self, name: str) -> None:
        """Remove what commands have written into the copy of a run, which the bucket does not have."""
        folder, fetched = self.folder / name, self._state[name].files
        for above, _, files in os.walk(folder):
            for path in (Path(above, each) for each in files):
                if path.relative_to(folder).as_posix() not in fetched:
                    path.unlink()

    def _lacking(self, run: RemoteRun, names: Collection[str] | None) -> list[str]:
        fetched = self._state[run.name].files
        return [name for name in run.files if (names is None or name in names) and name not in fetched]

    async def _fetch_run(self, run: RemoteRun, names: list[str]) -> None:
        folder = self.folder / run.name
        try:
            await download_files(self._bucket, run, names, folder)
        except DamagedRun as error:
            self.damaged[run.name] = str(error)
            shutil.rmtree(folder)
            self._state[run.name].files = {}
            return
        for name in names:
            status = os.lstat(folder / name)
            self._state[run.name].files[name] = CachedFile(
                version=run.files[name].version, mtime_ns=status.st_mtime_ns, size=status.st_size
            )

    def _still_true(self, run: RemoteRun) -> CachedRun:
        """What was fetched of a run and is still the same, there and here; the rest of it is removed."""
        fetched = self._state[run.name].files if run.name in self._state else {}
        kept = {}
        for name, file in fetched.items():
            path = self.folder / run.name / name
            if name in run.files and run.files[name].version == file.version and _is_unchanged(path, file):
                kept[name] = file
            else:
                path.unlink(missing_ok=True)
        return CachedRun(etag=run.inventory_etag or "", inventory=run.inventory or {}, files=kept)

    def _announce(self, files: int, size: int) -> None:
        """Say on stderr that this takes a while. BucketError: it is more than one command may fetch."""
        address = self._bucket.address
        if size > MOST_FETCHED:
            raise BucketError(
                f"{address}: needs {counted(files, 'file')} of {size / 1e9:,.1f} GB together, more than "
                f"{MOST_FETCHED / 1e9:g} GB; name fewer runs, or use a copy of them: `harness sync {address} FOLDER`"
            )
        if size > WORTH_A_NOTE:
            print(f"fetching {counted(files, 'file')} ({size / 1e6:,.0f} MB) from {address}", file=sys.stderr)


def make_cache_folder(address: BucketAddress, endpoint: str) -> Path:
    """The folder for the copy of an address, for the user alone. StoreError: it is not, or cannot be made."""
    host = urlsplit(endpoint).netloc
    bucket = address.bucket if host.endswith(_AWS) else f"{address.bucket}@{quote(host, safe='.')}"
    folder = _cache_home() / "harness"
    for name in ("", "s3", bucket, quote(address.prefix or "/", safe="")):
        folder = folder / name
        _make_private(folder)
    return folder


def _cache_home() -> Path:
    """As the XDG base directory specification has it."""
    written = os.environ.get("XDG_CACHE_HOME", "")
    return Path(written) if os.path.isabs(written) else Path.home() / ".cache"


def _make_private(folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        status = os.stat(folder)
        if status.st_uid != os.getuid():
            raise StoreError(f"{folder}: belongs to another user; set XDG_CACHE_HOME to a folder of yours")
        if status.st_mode & 0o077:
            folder.chmod(PRIVATE_FOLDER)
    except OSError as error:
        raise StoreError(
            f"{folder}: cannot be created: {error.strerror}; set XDG_CACHE_HOME to a folder that can be written"
        ) from error


def _is_unchanged(path: Path, file: CachedFile) -> bool:
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return (status.st_mtime_ns, status.st_size) == (file.mtime_ns, file.size)


def _read_state(path: Path) -> dict[str, CachedRun]:
    """What was fetched; nothing if that cannot be read."""
    try:
        return msgspec.json.decode(read_bounded(path, max_bytes=MAX_STATE_BYTES), type=dict[str, CachedRun])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
