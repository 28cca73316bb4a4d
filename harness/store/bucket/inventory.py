"""What a run in a bucket consists of: `RUN/.inventory.json`, which is uploaded last, lists its files and their SHA-256.

So whoever reads a run sees whether its upload has ended, and each file that is fetched is compared with it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from harness.errors import StoreError
from harness.files import open_regular, read_bounded, reason
from harness.store.bucket.address import is_safe_name
from harness.store.bucket.objects import Bucket
from harness.store.client_health import Count
from harness.store.run_folder import MAX_MANIFEST_BYTES

FILE = ".inventory.json"
MANIFEST = "manifest.json"
MAX_BYTES = 10_000_000
_PIECE = 1 << 20
Sha256 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a run. `size`: bytes."""

    size: Count
    sha256: Sha256


Inventory = dict[str, StoredFile]
"""Name inside the run, such as `plots/errors.png` → the file."""


async def read_inventory(bucket: Bucket, run: str) -> tuple[Inventory, str] | None:
    """The inventory of a run in a bucket and its ETag. None: there is none. StoreError: it cannot be used."""
    found = await bucket.read(f"{run}/{FILE}", max_bytes=MAX_BYTES)
    if found is None:
        return None
    content, etag = found
    try:
        inventory = msgspec.json.decode(content, type=Inventory)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(f"{bucket.address.below(run)}: {FILE} is not an inventory of a run: {error}") from error
    if not all(map(is_safe_name, inventory)):
        raise StoreError(f"{bucket.address.below(run)}: {FILE} names files that would lie outside the run")
    return inventory, etag


class _Manifest(msgspec.Struct, frozen=True):
    attempts: Count | None = None


async def count_both(bucket: Bucket, run: str, folder: Path) -> tuple[int, int]:
    """The attempts that a run has stored in its local folder, and in the bucket. BucketError; OSError."""
    found = await bucket.read(f"{run}/{MANIFEST}", max_bytes=MAX_MANIFEST_BYTES)
    here = _count_attempts(read_bounded(folder / MANIFEST, max_bytes=MAX_MANIFEST_BYTES))
    return here, 0 if found is None else _count_attempts(found[0])


def _count_attempts(manifest: bytes) -> int:
    """The attempts that a run has stored, by its manifest; 0 if it cannot be read."""
    try:
        return msgspec.json.decode(manifest, type=_Manifest).attempts or 0
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return 0


def encode_inventory(inventory: Mapping[str, StoredFile]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(dict(sorted(inventory.items()))), indent=1) + b"\n"


def take_inventory(folder: Path) -> Inventory:
    """The files of a local run, all read. Hidden files and symbolic links are none. StoreError: one cannot be read."""
    return {name: describe_file(folder / name) for name in _names(folder)}


def describe_file(path: Path) -> StoredFile:
    """The size and SHA-256 of a regular file. StoreError: it cannot be read."""
    try:
        with open_regular(path, follow=False) as file:
            digest = hashlib.sha256()
            while piece := file.read(_PIECE):
                digest.update(piece)
            return StoredFile(size=file.tell(), sha256=digest.hexdigest())
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {reason(error)}") from error


def _names(folder: Path) -> Iterator[str]:
    for above, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for each in sorted(files):
            path = Path(above, each)
            name = path.relative_to(folder).as_posix()
            if is_safe_name(name) and path.is_file() and not path.is_symlink():
                yield name
