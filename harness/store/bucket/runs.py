"""The runs below an address, as a listing and their inventories show them: whole, or uploaded only in part."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from harness.characters import counted
from harness.errors import StoreError
from harness.store.bucket.address import is_safe_name, is_safe_part
from harness.store.bucket.errors import BucketError
from harness.store.bucket.inventory import FILE, MANIFEST, Inventory, StoredFile, read_inventory
from harness.store.bucket.objects import Bucket, RemoteObject, all_at_once

_OF_A_RUN = ("suite.json", "suite.yaml", "attempts.parquet", "attempts.jsonl", "summary.json")
"""Files that only a run has, whose manifest is uploaded after them."""
_RUN_ID = re.compile(r"\d{8}T\d{6}Z-")


class RemoteFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a run in a bucket."""

    size: int
    version: str
    """Its SHA-256, or its ETag where no inventory has one: it changes with the content."""
    sha256: str | None


class RemoteRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run in a bucket."""

    name: str
    files: dict[str, RemoteFile]
    trouble: str | None = None
    """Why the run cannot be read; None: it can."""
    inventory: Inventory | None = None
    inventory_etag: str | None = None
    """None: another program has copied the run, and its manifest is there."""


class RemoteRuns(msgspec.Struct, frozen=True, kw_only=True):
    """The runs below an address by name, and the objects directly below it."""

    runs: dict[str, RemoteRun]
    beside: dict[str, RemoteObject]

    def readable(self) -> list[RemoteRun]:
        return [run for run in self.runs.values() if run.trouble is None]

    def troubles(self) -> list[str]:
        """One message for each run that cannot be read."""
        return [run.trouble for run in self.runs.values() if run.trouble is not None]


class CopiedRun(msgspec.Struct, frozen=True, kw_only=True):
    """What was copied of a run, or would be: files and bytes; none if nothing was new."""

    run: str
    files: int
    size: int


Known = Mapping[str, tuple[str, Inventory]]
"""Run → the ETag and content of its inventory, from the last time."""


async def list_remote_runs(bucket: Bucket, known: Known | None = None) -> RemoteRuns:
    """List the runs below a bucket's address; only inventories that are new are read. BucketError.

    Keys are hostile: those that cannot be files inside a run's folder are left out.
    """
    listed = await bucket.list_objects()
    by_run = _group(listed)
    beside = {each.name: each for each in listed if "/" not in each.name and is_safe_part(each.name)}
    found = await all_at_once([_describe(bucket, name, objects, known or {}) for name, objects in by_run.items()])
    return RemoteRuns(runs={run.name: run for run in found if run is not None}, beside=beside)


async def describe_remote_run(bucket: Bucket, name: str) -> RemoteRun | None:
    """One run, of which only its own objects are listed. None: there is none. BucketError."""
    objects = await list_run(bucket, name)
    return await _describe(bucket, name, objects, {}) if objects else None


async def list_run(bucket: Bucket, name: str) -> dict[str, RemoteObject]:
    """The objects of one run by their names inside it. BucketError."""
    return _group(await bucket.list_objects(f"{name}/")).get(name, {})


def is_intact(name: str, file: StoredFile, objects: Mapping[str, RemoteObject]) -> bool:
    """Whether a file of an inventory is there, as far as a listing shows: it has the same size."""
    return name in objects and objects[name].size == file.size


def _group(listed: Iterable[RemoteObject]) -> dict[str, dict[str, RemoteObject]]:
    """Run → name inside it → object."""
    by_run: dict[str, dict[str, RemoteObject]] = {}
    for each in listed:
        run, _, name = each.name.partition("/")
        if is_safe_part(run) and (name == FILE or is_safe_name(name)):
            by_run.setdefault(run, {})[name] = each
    return {run: _without_folders(objects) for run, objects in by_run.items()}


def _without_folders(objects: dict[str, RemoteObject]) -> dict[str, RemoteObject]:
    """Without a key such as `plots` beside `plots/errors.png`: on a disk, one name is a file or a folder."""
    folders = {"/".join(parts[:n]) for parts in (name.split("/") for name in objects) for n in range(1, len(parts))}
    return {name: found for name, found in objects.items() if name not in folders}


async def _describe(bucket: Bucket, name: str, objects: dict[str, RemoteObject], known: Known) -> RemoteRun | None:
    """A run; None: these objects are not of one."""
    if FILE not in objects:
        return _without_inventory(bucket, name, objects)
    etag, inventory = known.get(name, ("", {}))
    if etag != objects[FILE].etag:
        try:
            read = await read_inventory(bucket, name)
        except BucketError:
            raise
        except StoreError as error:
            return RemoteRun(name=name, files={}, trouble=str(error))
        inventory, etag = ({}, "") if read is None else read
    missing = [each for each, file in inventory.items() if not is_intact(each, file, objects)]
    trouble = None
    if missing or MANIFEST not in inventory:
        what = f"{len(missing)} of its {counted(len(inventory), 'file')} are missing or of another version"
        trouble = _in_part(bucket, name, what)
    return RemoteRun(
        name=name,
        files={
            each: RemoteFile(size=file.size, version=file.sha256, sha256=file.sha256)
            for each, file in inventory.items()
        },
        trouble=trouble,
        inventory=inventory,
        inventory_etag=etag,
    )


def _without_inventory(bucket: Bucket, name: str, objects: dict[str, RemoteObject]) -> RemoteRun | None:
    files = {each: RemoteFile(size=found.size, version=found.etag, sha256=None) for each, found in objects.items()}
    if MANIFEST in files:
        return RemoteRun(name=name, files=files)
    if not set(_OF_A_RUN) & files.keys() and not _RUN_ID.match(name):
        return None
    return RemoteRun(name=name, files=files, trouble=_in_part(bucket, name, f"it has no {MANIFEST} yet"))


def _in_part(bucket: Bucket, name: str, what: str) -> str:
    above = bucket.address
    return f"{above.below(name)}: is uploaded only in part: {what}; `harness sync RESULTS/{name} {above}` finishes it"
