"""Downloads a run's files into a folder, the manifest last, so that a run is whole or seen not to be."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from harness.errors import StoreError
from harness.store.bucket.inventory import MANIFEST, StoredFile, count_both, describe_file
from harness.store.bucket.objects import Bucket, all_at_once
from harness.store.bucket.runs import CopiedRun, RemoteRun
from harness.store.files import make_folder, make_subfolder, one_writer
from harness.store.run_folder import RunFolder


async def download_files(bucket: Bucket, run: RemoteRun, names: Collection[str], folder: Path) -> None:
    """Download these files of a run into a folder. DamagedRun; BucketError; OSError: one cannot be written."""
    make_folder(folder)
    await all_at_once([_download(bucket, run, each, folder) for each in sorted(names) if each != MANIFEST])
    if MANIFEST in names:
        await _download(bucket, run, MANIFEST, folder)


async def download_run(bucket: Bucket, run: RemoteRun, folder: Path, *, dry_run: bool = False) -> CopiedRun:
    """Download what a local run lacks of one in a bucket.

    May be cut off at any point and repeated. Files that only the local run has stay. Raises as `download_files`.
    """
    if not dry_run:
        make_folder(folder)
    with one_writer(folder):
        lacking = [name for name in run.files if not _has(folder, name, run)]
        if lacking and (folder / MANIFEST).exists():
            await _require_no_more(bucket, run.name, folder)
        if not dry_run:
            await download_files(bucket, run, lacking, folder)
    return CopiedRun(run=run.name, files=len(lacking), size=sum(run.files[name].size for name in lacking))


async def _require_no_more(bucket: Bucket, run: str, folder: Path) -> None:
    """StoreError: the local run has, or may have, more attempts than the one in the bucket, which would be lost."""
    if RunFolder(folder).journals():
        raise StoreError(f"{folder}: has a journal; left as it is. `harness report {folder}` finishes it")
    here, there = await count_both(bucket, run, folder)
    if here > there:
        raise StoreError(
            f"{bucket.address.below(run)}: has {there:,} attempts, and {folder} has {here:,}; left as it is"
        )


def _has(folder: Path, name: str, run: RemoteRun) -> bool:
    """Whether a local run has this file with this content. Without a SHA-256 to compare with, it has not."""
    file, path = run.files[name], folder / name
    if file.sha256 is None or path.is_symlink() or not path.is_file() or path.stat().st_size != file.size:
        return False
    return describe_file(path) == StoredFile(size=file.size, sha256=file.sha256)


async def _download(bucket: Bucket, run: RemoteRun, name: str, folder: Path) -> None:
    file, parts = run.files[name], name.split("/")[:-1]
    for depth in range(len(parts)):
        make_subfolder(folder.joinpath(*parts[: depth + 1]))  # not through a link of a folder that others have made
    await bucket.download(f"{run.name}/{name}", folder / name, size=file.size, sha256=file.sha256)
