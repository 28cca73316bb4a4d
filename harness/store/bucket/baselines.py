"""`baselines.json` in a bucket, which two processes may change at the same time."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from harness.errors import StoreError
from harness.store.baselines import FILE, MAX_BYTES, Baselines, encode_baselines
from harness.store.bucket.errors import BucketError
from harness.store.bucket.objects import Bucket
from harness.store.bucket.upload import MOST_TRIES


async def change_baselines(bucket: Bucket, change: Callable[[Baselines], Baselines]) -> None:
    """Replace the stored baselines by what `change` makes of them; called again if others wrote meanwhile.

    BucketError; StoreError: the object is not what `harness baseline` writes.
    """
    for _ in range(MOST_TRIES):
        stored, etag = await _read(bucket)
        wanted = change(stored)
        if wanted == stored:
            return
        if await bucket.write(FILE, encode_baselines(wanted), instead_of=etag):
            return
    raise BucketError(f"{bucket.address.below(FILE)}: others keep writing it; try again")


async def read_baselines_of(bucket: Bucket) -> Baselines:
    """The stored baselines; empty if none is set. Raises as `change_baselines`."""
    return (await _read(bucket))[0]


async def _read(bucket: Bucket) -> tuple[Baselines, str | None]:
    """The baselines and the ETag of the object; None: there is none."""
    found = await bucket.read(FILE, max_bytes=MAX_BYTES)
    if found is None:
        return {}, None
    try:
        return msgspec.json.decode(found[0], type=Baselines), found[1]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(f"{bucket.address.below(FILE)}: {error}; delete it and set the baselines again") from error
