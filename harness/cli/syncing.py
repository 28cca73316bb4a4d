"""Copies runs between a folder and a bucket, one by one, and says which had to be left out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from harness.characters import printable
from harness.cli.index import update_index
from harness.cli.places import Place
from harness.cli.remote import update_bucket_index, warn_left_out
from harness.errors import HarnessError, StoreError
from harness.store.baselines import FILE, Baselines, change_local_baselines, read_baselines
from harness.store.bucket.address import BucketAddress
from harness.store.bucket.baselines import change_baselines, read_baselines_of
from harness.store.bucket.download import download_run
from harness.store.bucket.errors import BucketError, DamagedRun
from harness.store.bucket.inventory import MANIFEST
from harness.store.bucket.objects import Bucket, Connection, connect_bucket
from harness.store.bucket.runs import CopiedRun, RemoteRuns, describe_remote_run, list_remote_runs
from harness.store.bucket.upload import upload_run
from harness.store.files import find_writer, make_folder
from harness.store.run_folder import RunFolder, list_runs, unreadable_runs


class Sync(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync has copied. `left_out`: a message for each run that it could not."""

    runs: list[CopiedRun]
    left_out: list[str]


def sync_runs(source: Place, dest: Place, *, dry_run: bool) -> Sync:
    """Copy the runs of one place to another. HarnessError: not one of them is a bucket, or it cannot be used."""
    if source.in_bucket == dest.in_bucket:
        both = "both are in a bucket" if source.in_bucket else "neither is in a bucket"
        raise HarnessError(f"{source} and {dest}: {both}; one must be a folder here, and the other s3://BUCKET/PREFIX")
    if dest.in_bucket:
        return _upload(Path(source), dest.address, dry_run=dry_run)
    return _download(source.address, Path(dest), dry_run=dry_run)


def _upload(source: Path, address: BucketAddress, *, dry_run: bool) -> Sync:
    """HarnessError: there is no run."""
    folders, left_out = _local_runs(source)
    copied: list[CopiedRun] = []
    with connect_bucket(address) as connection:
        for folder in folders:
            upload = partial(upload_run, connection.bucket, folder, dry_run=dry_run)
            _copy(connection, folder, upload, copied, left_out)
        if not dry_run and not _is_run(source):
            _upload_baselines(connection, source)
    if not dry_run and any(each.files for each in copied):
        update_bucket_index(address)
    return Sync(runs=copied, left_out=left_out)


def _download(address: BucketAddress, dest: Path, *, dry_run: bool) -> Sync:
    """HarnessError: there is no run."""
    copied: list[CopiedRun] = []
    with connect_bucket(address) as connection:
        bucket, remote = connection.run(_remote_runs(connection.bucket))
        if not remote.runs:
            raise HarnessError(f"{address}: holds no runs")
        left_out = remote.troubles()
        warn_left_out(left_out)
        if not dry_run:
            make_folder(dest)
        for run in remote.readable():
            download = partial(download_run, bucket, run, dest / run.name, dry_run=dry_run)
            _copy(connection, dest / run.name, download, copied, left_out)
        if FILE in remote.beside and not dry_run:
            _download_baselines(connection.run(read_baselines_of(bucket)), dest)
    if not dry_run and any(each.files for each in copied):
        update_index(dest)
    return Sync(runs=copied, left_out=left_out)


async def _remote_runs(bucket: Bucket) -> tuple[Bucket, RemoteRuns]:
    """The runs below an address, or the one run at it; and the bucket at the address of their folder."""
    above, name = bucket.address.split()
    remote = await list_remote_runs(bucket)
    if name and (MANIFEST in remote.beside or not remote.runs):
        run = await describe_remote_run(bucket.at(above), name)
        if run is not None:
            return bucket.at(above), RemoteRuns(runs={name: run}, beside={})
    return bucket, remote


def _copy(
    connection: Connection,
    folder: Path,
    copy: Callable[[], Coroutine[Any, Any, CopiedRun]],
    copied: list[CopiedRun],
    left_out: list[str],
) -> None:
    """Copy a run, unless its local folder is being written.

    If something is wrong with it, it is left out; if it is the bucket, BucketError.
    """
    if (writer := find_writer(folder)) is not None:
        print(f"{folder}: {writer} is writing it; left for the next time", file=sys.stderr)
        return
    try:
        copied.append(connection.run(copy()))
    except StoreError as error:
        if isinstance(error, BucketError) and not isinstance(error, DamagedRun):
            raise
        left_out.append(str(error))
        warn_left_out([str(error)])


def _local_runs(source: Path) -> tuple[list[Path], list[str]]:
    """The runs in a folder, or the one that it is, and a message for each that cannot be read. HarnessError: none."""
    if _is_run(source):
        RunFolder(source).read_manifest()
        return [source.resolve() if source.name in ("", "..") else source], []
    runs, unreadable = [run.path for run in list_runs(source, sweeps=True)], unreadable_runs(source)
    warn_left_out(unreadable)
    if not runs:
        raise HarnessError(f"{source}: holds no runs; `harness run SUITE` makes one in results/")
    return runs, unreadable


def _is_run(source: Path) -> bool:
    return (source / "manifest.json").is_file()


def _upload_baselines(connection: Connection, source: Path) -> None:
    here = read_baselines(source)
    if here:
        connection.run(change_baselines(connection.bucket, lambda there: _merged(there, here, "the bucket")))


def _download_baselines(there: Baselines, dest: Path) -> None:
    change_local_baselines(dest, lambda here: _merged(here, there, str(dest)))


def _merged(kept: Baselines, more: Baselines, where: str) -> Baselines:
    """The baselines that are kept, and those of `more` that are missing; says on stderr where the two differ."""
    merged = {suite: dict(names) for suite, names in kept.items()}
    for suite, names in more.items():
        for name, run in names.items():
            stays = merged.setdefault(suite, {}).setdefault(name, run)
            if stays != run:
                told = f"note: the baseline ({name}) of {suite} stays {stays} in {where}; the source has {run}"
                print(printable(told), file=sys.stderr)
    return merged
