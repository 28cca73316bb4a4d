"""The objects of a bucket: listed, read, written, each with a checksum, and written only if nobody else did."""

from __future__ import annotations

import asyncio
import hashlib
import io
from base64 import b64encode
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import aioboto3
import msgspec
from aiobotocore.config import AioConfig
from botocore.exceptions import ClientError

import harness.endpoints.aiohttp_session  # noqa: F401  a service that gives credentials cannot redirect the request
from harness.endpoints.credentials import find_credentials
from harness.errors import first_leaf
from harness.secrets import remember_environment
from harness.store.bucket.address import BucketAddress
from harness.store.bucket.errors import BucketError, DamagedRun, has_changed, is_missing, reading_bucket_errors
from harness.store.files import new_file, temporary_name

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 60.0
AT_ONCE = 16
"""Requests in flight."""
MOST_KEYS = 1_000_000
MOST_FILE_BYTES = 20_000_000_000
"""Of one object that is fetched, some sixty million attempts."""
PART_BYTES = 16_000_000
"""Of an upload in parts, which a larger file is."""
_PIECE = 1 << 20
_SHA256 = "sha256"

T = TypeVar("T")


class RemoteObject(msgspec.Struct, frozen=True, kw_only=True):
    """An object as a listing shows it. `name`: its key without the address's prefix; hostile, like all of it."""

    name: str
    size: int
    etag: str
    modified: datetime


class Bucket:
    """The objects below an address. Every method may raise BucketError."""

    def __init__(self, client: Any, address: BucketAddress) -> None:
        self.address = address
        self._client = client

    def at(self, address: BucketAddress) -> Bucket:
        """The same bucket at another address in it."""
        return Bucket(self._client, address)

    @property
    def endpoint(self) -> str:
        """The URL that is asked."""
        return str(self._client.meta.endpoint_url)

    async def list_objects(self, below: str = "", *, most: int = MOST_KEYS) -> list[RemoteObject]:
        """The objects whose names begin with `below`, in the order of their names. BucketError: more than `most`."""
        start = self.address.key("")
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self.address.bucket, Prefix=f"{start}{below}"
        )
        found: list[RemoteObject] = []
        with self._reading_errors():
            async for page in pages:
                found += [_read_listed(each, start) for each in page.get("Contents", ())]
                if len(found) > most:
                    raise BucketError(f"{self.address}: holds more than {most:,} objects; name the prefix of the runs")
        return found

    async def check(self) -> None:
        """Ask for one name, to learn whether the bucket can be reached."""
        with self._reading_errors():
            await self._client.list_objects_v2(Bucket=self.address.bucket, Prefix=self.address.key(""), MaxKeys=1)

    async def read(self, name: str, *, max_bytes: int) -> tuple[bytes, str] | None:
        """A small object and its ETag; None: there is none. BucketError: it is larger than `max_bytes`."""
        body = bytearray()
        with self._reading_errors():
            try:
                async with self._reading(name) as (pieces, etag):
                    async for piece in pieces:
                        body += piece
                        if len(body) > max_bytes:
                            raise BucketError(f"{self.address.below(name)}: is larger than {max_bytes / 1e6:g} MB")
            except ClientError as error:
                if is_missing(error):
                    return None
                raise
        return bytes(body), etag

    async def read_end(self, name: str, length: int) -> tuple[bytes, str] | None:
        """The last bytes of an object and its ETag; None: there is none, or it is empty."""
        with self._reading_errors():
            try:
                answer = await self._client.get_object(
                    Bucket=self.address.bucket, Key=self.address.key(name), Range=f"bytes=-{length}"
                )
            except ClientError as error:
                if is_missing(error):
                    return None
                raise
            async with answer["Body"]:
                return (await answer["Body"].read())[-length:], answer["ETag"]

    async def write(self, name: str, content: bytes, *, instead_of: str | None, kind: str = "application/json") -> bool:
        """Write a small object in place of the one with this ETag; None: there must be none.

        False: somebody else has written it since.
        """
        condition = {"IfNoneMatch": "*"} if instead_of is None else {"IfMatch": instead_of}
        with self._reading_errors():
            try:
                await self._client.put_object(
                    Bucket=self.address.bucket,
                    Key=self.address.key(name),
                    ContentType=kind,
                    **_body(content),
                    **condition,
                )
            except ClientError as error:
                if has_changed(error):
                    return False
                raise
        return True

    async def upload(self, name: str, file: BinaryIO, *, size: int, sha256: str, kind: str) -> None:
        """Upload a file, in parts if it is large. S3 compares the checksum of each request, and keeps `sha256`."""
        place = {"Bucket": self.address.bucket, "Key": self.address.key(name)}
        kept = {**place, "ContentType": kind, "Metadata": {_SHA256: sha256}}
        with self._reading_errors():
            if size > PART_BYTES:
                await self._upload_parts(file, place, kept)
            else:
                content = file.read(PART_BYTES + 1)
                await self._client.put_object(**kept, **_body(content))

    async def _upload_parts(self, file: BinaryIO, place: dict[str, str], kept: dict[str, Any]) -> None:
        """One part after the other; if one fails, S3 forgets the others."""
        begun = await self._client.create_multipart_upload(**kept, ChecksumAlgorithm="SHA256")
        upload, parts = {**place, "UploadId": begun["UploadId"]}, list[dict[str, Any]]()
        try:
            while content := file.read(PART_BYTES):
                number, body = len(parts) + 1, _body(content)
                sent = await self._client.upload_part(**upload, PartNumber=number, **body)
                parts.append({"PartNumber": number, "ETag": sent["ETag"], "ChecksumSHA256": body["ChecksumSHA256"]})
            await self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        except BaseException:
            with suppress(Exception):
                await self._client.abort_multipart_upload(**upload)
            raise

    async def uploaded_sha256(self, name: str) -> str | None:
        """The SHA-256 with which an object was uploaded. None: there is none, or somebody else uploaded it."""
        with self._reading_errors():
            try:
                head = await self._client.head_object(Bucket=self.address.bucket, Key=self.address.key(name))
            except ClientError as error:
                if is_missing(error):
                    return None
                raise
        sha256: str | None = head.get("Metadata", {}).get(_SHA256)
        return sha256

    async def download(self, name: str, path: Path, *, size: int, sha256: str | None) -> None:
        """Download an object into a file, which appears once it is whole.

        DamagedRun: the object is too large, or has another size or SHA-256. OSError: the file cannot be written.
        """
        place, digest, length = self.address.below(name), hashlib.sha256(), 0
        if size > MOST_FILE_BYTES:
            raise DamagedRun(
                f"{place}: has {size / 1e9:,.1f} GB; no file of a run has more than {MOST_FILE_BYTES / 1e9:g} GB"
            )
        partial = temporary_name(path)
        with self._reading_errors(), new_file(partial) as file:
            async with self._reading(name) as (pieces, _):
                async for piece in pieces:
                    length += len(piece)
                    if length > size:
                        break
                    digest.update(piece)
                    file.write(piece)
            if length != size or (sha256 is not None and digest.hexdigest() != sha256):
                raise DamagedRun(
                    f"{place}: is not what its run's inventory says; somebody is uploading it, or its upload was cut "
                    "off. Try again, or upload it again with `harness sync`"
                )
            file.flush()
            partial.replace(path)

    @asynccontextmanager
    async def _reading(self, name: str) -> AsyncIterator[tuple[AsyncIterator[bytes], str]]:
        """The pieces of an object, whose checksum the SDK verifies at its end, and its ETag."""
        answer = await self._client.get_object(
            Bucket=self.address.bucket, Key=self.address.key(name), ChecksumMode="ENABLED"
        )
        async with answer["Body"]:  # it enters as the response below it, which verifies no checksum
            yield _pieces(answer["Body"]), answer["ETag"]

    def _reading_errors(self) -> Any:
        return reading_bucket_errors(self.address, partition=self._client.meta.partition)


def _body(content: bytes) -> dict[str, Any]:
    """A body with its checksum. As a stream, which does not hold up the event loop."""
    return {
        "Body": io.BytesIO(content),
        "ContentLength": len(content),
        "ChecksumAlgorithm": "SHA256",
        "ChecksumSHA256": b64encode(hashlib.sha256(content).digest()).decode(),
    }


def _read_listed(listed: dict[str, Any], start: str) -> RemoteObject:
    name, etag, modified = listed["Key"].removeprefix(start), listed["ETag"], listed["LastModified"]
    return RemoteObject(name=name, size=listed["Size"], etag=etag, modified=modified)


async def _pieces(body: Any) -> AsyncIterator[bytes]:
    while piece := await body.read(_PIECE):
        yield piece


@asynccontextmanager
async def open_bucket(address: BucketAddress) -> AsyncIterator[Bucket]:
    """A bucket as the user's environment and AWS configuration say, their AWS_ENDPOINT_URL_S3 included."""
    config = AioConfig(connect_timeout=CONNECT_TIMEOUT_S, read_timeout=READ_TIMEOUT_S, max_pool_connections=2 * AT_ONCE)
    async with AsyncExitStack() as stack:
        with reading_bucket_errors(address):
            remember_environment()
            session = aioboto3.Session()
            await find_credentials(session)
            client = await stack.enter_async_context(session.client("s3", config=config))
        yield Bucket(client, address)


class Connection:
    """A bucket, and the event loop on which to ask it, for code that has none."""

    def __init__(self, bucket: Bucket, runner: asyncio.Runner) -> None:
        self.bucket = bucket
        self._runner = runner

    def run(self, asking: Coroutine[Any, Any, T]) -> T:
        """Run until the answer is there. BucketError; OSError: a file cannot be read or written."""
        return self._runner.run(asking)


@contextmanager
def connect_bucket(address: BucketAddress) -> Iterator[Connection]:
    """Open a bucket from code without an event loop. BucketError: no valid credentials, an invalid configuration."""
    with asyncio.Runner() as runner:
        opened = open_bucket(address)
        bucket = runner.run(opened.__aenter__())
        try:
            yield Connection(bucket, runner)
        finally:
            runner.run(opened.__aexit__(None, None, None))


async def all_at_once(coroutines: list[Coroutine[Any, Any, T]]) -> list[T]:
    """Run them, AT_ONCE at a time; returns the results in their order. Raises the first error as it is."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def limited(coroutine: Coroutine[Any, Any, T]) -> T:
        async with gate:
            return await coroutine

    tasks: list[asyncio.Task[T]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks += [group.create_task(limited(each)) for each in coroutines]
    except BaseExceptionGroup as failed:
        raise first_leaf(failed) from None
    finally:
        for each in coroutines:
            each.close()
    return [task.result() for task in tasks]
