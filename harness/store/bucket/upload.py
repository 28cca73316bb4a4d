"""Uploads a run, so that it is either whole in the bucket or seen not to be."""

from __future__ import annotations

import mimetypes
from collections.abc import Collection, Mapping
from fnmatch import fnmatch
from pathlib import Path

from harness.errors import StoreError
from harness.files import open_regular, reason
from harness.store.bucket.errors import BucketError
from harness.store.bucket.inventory import (
    FILE,
    MANIFEST,
    Inventory,
    StoredFile,
    count_both,
    encode_inventory,
    read_inventory,
    take_inventory,
)
from harness.store.bucket.objects import Bucket, RemoteObject, all_at_once
from harness.store.bucket.runs import CopiedRun, is_intact, list_run
from harness.store.files import one_writer

JOURNALS = "attempts*.jsonl"
MOST_TRIES = 50
"""Of a write that others make at the same time: in each round, one of them succeeds."""


async def upload_run(bucket: Bucket, folder: Path, *, dry_run: bool = False) -> CopiedRun:
    """Upload what a bucket lacks of a local run: its files, then its manifest, last its inventory.

    Files that only the bucket has stay, such as the verdict of a gate elsewhere, but not the journals of a run that has
    ended since. May be cut off at any point and repeated: what has arrived is not sent again. If two processes upload
    one run at the same time, the second to end finds the other's inventory and compares again. BucketError; StoreError:
    a file cannot be read, or the run there has more attempts.
    """
    name = folder.name
    sent: dict[str, int] = {}
    with one_writer(folder):
        local = take_inventory(folder)
        for _ in range(MOST_TRIES):
            there = await list_run(bucket, name)
            stored, etag = await _read_inventory(bucket, name)
            intact = {each: file for each, file in stored.items() if is_intact(each, file, there)}
            whole = {each: file for each, file in intact.items() if not fnmatch(each, JOURNALS)} | local
            doubtful = {
                each: file for each, file in local.items() if intact.get(each) != file or _is_newer(there[each], there)
            }
            lacking = await _without_arrived(bucket, name, doubtful, there)
            if etag is not None and not lacking and whole == stored:
                break
            if MANIFEST in stored and MANIFEST in lacking:
                await _require_no_more(bucket, folder)
            sent |= {each: file.size for each, file in lacking.items()}
            if dry_run:
                break
            await _send(bucket, folder, lacking)
            if await bucket.write(f"{name}/{FILE}", encode_inventory(whole), instead_of=etag):
                break
        else:
            raise BucketError(f"{bucket.address.below(name)}: others keep writing it; try again")
    return CopiedRun(run=name, files=len(sent), size=sum(sent.values()))


async def _require_no_more(bucket: Bucket, folder: Path) -> None:
    """StoreError: the run in the bucket has more attempts than the local one, which would be lost."""
    here, there = await count_both(bucket, folder.name, folder)
    if there > here:
        raise StoreError(
            f"{folder}: has {here:,} attempts, and {bucket.address.below(folder.name)} has {there:,}; left as it is"
        )


async def _read_inventory(bucket: Bucket, name: str) -> tuple[Inventory, str | None]:
    """The inventory and its ETag; one that is damaged is empty, so that it is replaced. None: there is none."""
    try:
        return await read_inventory(bucket, name) or ({}, None)
    except BucketError:
        raise
    except StoreError:
        found = await bucket.read_end(f"{name}/{FILE}", 1)
        return {}, found and found[1]


def _is_newer(found: RemoteObject, there: Mapping[str, RemoteObject]) -> bool:
    """Whether an object was written after the inventory: by an upload that was cut off, or a copy from elsewhere."""
    return FILE not in there or found.modified > there[FILE].modified


async def _without_arrived(
    bucket: Bucket, name: str, lacking: Inventory, there: Mapping[str, RemoteObject]
) -> Inventory:
    """Without the files whose content is there already, as uploaded by one that was cut off."""
    candidates = [each for each, file in lacking.items() if each in there and there[each].size == file.size]
    found = await all_at_once([bucket.uploaded_sha256(f"{name}/{each}") for each in candidates])
    arrived = {each for each, sha256 in zip(candidates, found, strict=True) if sha256 == lacking[each].sha256}
    return {each: file for each, file in lacking.items() if each not in arrived}


async def _send(bucket: Bucket, folder: Path, files: Inventory) -> None:
    """Upload files, the manifest after the others."""
    first: Collection[str] = files.keys() - {MANIFEST}
    await all_at_once([_send_file(bucket, folder, each, files[each]) for each in sorted(first)])
    if MANIFEST in files:
        await _send_file(bucket, folder, MANIFEST, files[MANIFEST])


async def _send_file(bucket: Bucket, folder: Path, name: str, described: StoredFile) -> None:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    try:
        with open_regular(folder / name, follow=False) as file:
            await bucket.upload(f"{folder.name}/{name}", file, size=described.size, sha256=described.sha256, kind=kind)
    except OSError as error:
        raise StoreError(f"{folder / name}: cannot be read: {reason(error)}") from error
