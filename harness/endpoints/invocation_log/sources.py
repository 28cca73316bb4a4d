"""The sources of an invocation log: an S3 bucket, a CloudWatch Logs group or a local copy."""

from __future__ import annotations

import gzip
import tempfile
import zlib
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Protocol, cast

import msgspec

from harness.errors import EndpointError

MAX_LINE = 64_000_000
"""Bytes of one line or body, uncompressed. A file with more is damaged or malicious."""
SUFFIXES = (".json", ".json.gz", ".jsonl", ".jsonl.gz", ".log", ".log.gz")
_GZIP_MAGIC = b"\x1f\x8b"


class Line(msgspec.Struct, frozen=True):
    """One line of the log and its place."""

    place: str
    text: bytes


class UnreadablePiece(msgspec.Struct, frozen=True):
    """A piece of the log that cannot be read."""

    place: str
    why: str


def read_lines(file: IO[bytes], name: str) -> Iterator[Line | UnreadablePiece]:
    """Yield every line that is not blank. Damage ends the file, but the lines before it count."""
    number = 0
    try:
        stream = _unpacked(file)
        while text := stream.readline(MAX_LINE + 1):
            number += 1
            if len(text) > MAX_LINE:
                yield UnreadablePiece(f"{name}:{number}", f"a line of more than {MAX_LINE // 1_000_000} MB")
                return
            if text.strip():
                yield Line(f"{name}:{number}", text)
    except (OSError, EOFError, zlib.error) as error:
        yield UnreadablePiece(f"{name}:{number + 1}", f"damaged: {error}")


def read_body(file: IO[bytes]) -> bytes | None:
    """Read a whole body. None: damaged, or longer than MAX_LINE."""
    try:
        body = _unpacked(file).read(MAX_LINE + 1)
    except (OSError, EOFError, zlib.error):
        return None
    return body if len(body) <= MAX_LINE else None


def is_body(key: str) -> bool:
    """Whether this is a long body, which Bedrock stores separately from the records."""
    return PurePosixPath(key).parent.name == "data"


def log_files(path: Path) -> Iterator[Path]:
    """The file itself, or every log file in the folder, sorted by name."""
    if path.is_file():
        yield path
        return
    for each in sorted(path.rglob("*")):
        if each.name.endswith(SUFFIXES) and each.is_file() and not is_body(each.relative_to(path).as_posix()):
            yield each


def find_copy(folder: Path, address: str) -> Path | None:
    """The copy in `folder` of an object at an `s3://` address, by the longest matching end of its path."""
    parts = PurePosixPath(address.removeprefix("s3://")).parts
    if not address.startswith("s3://") or ".." in parts or "/" in parts:
        return None  # addresses in a log are hostile input
    candidates = (folder.joinpath(*parts[start:]) for start in range(len(parts)))
    return next((each for each in candidates if each.is_file()), None)


def _unpacked(file: IO[bytes]) -> IO[bytes]:
    packed = file.read(2) == _GZIP_MAGIC
    file.seek(0)
    return cast(IO[bytes], gzip.GzipFile(fileobj=file, mode="rb")) if packed else file


if TYPE_CHECKING:
    from harness.endpoints.aws import AwsServices

SPOOLED = 16_000_000
"""Bytes of a log file that are held in memory; larger files go to a temporary file."""
MARGIN = timedelta(hours=1)
"""A record may be stored under a later hour than its own."""
_LOGS = "BedrockModelInvocationLogs/"


class Window(msgspec.Struct, frozen=True):
    """From `since` to before `until`, in UTC like the folders of a bucket. None: no bound."""

    since: datetime | None = None
    until: datetime | None = None

    def holds(self, at: datetime) -> bool:
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


class Source(Protocol):
    """Provides the lines that may be in a window, and bodies that are stored separately."""

    def lines(self, window: Window) -> AsyncIterator[Line | UnreadablePiece]: ...

    async def body(self, address: str) -> bytes | None: ...


def find_source(address: str, services: AwsServices) -> Source:
    """The source at `s3://BUCKET/PREFIX`, `logs:GROUP` or a path. EndpointError: none of these."""
    if address.startswith("s3://"):
        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        if not bucket:
            raise EndpointError(f"{address}: the bucket is missing; write s3://BUCKET or s3://BUCKET/PREFIX")
        return S3Log(services, bucket, prefix)
    if address.startswith("logs:"):
        group = address.removeprefix("logs:")
        if not group:
            raise EndpointError(f"{address}: the log group is missing; write logs:GROUP")
        return CloudWatchLog(services, group)
    path = Path(address)
    if not path.exists():
        raise EndpointError(f"{address}: no such file; a log is a file, a folder, s3://BUCKET or logs:GROUP")
    return LocalLog(path)


class LocalLog:
    """A local file or folder, as from `aws s3 sync`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def lines(self, window: Window) -> AsyncIterator[Line | UnreadablePiece]:
        for path in log_files(self._path):
            try:
                with path.open("rb") as file:
                    for line in read_lines(file, str(path)):
                        yield line
            except OSError as error:
                yield UnreadablePiece(str(path), f"cannot be read: {error.strerror}")

    async def body(self, address: str) -> bytes | None:
        copy = find_copy(self._path if self._path.is_dir() else self._path.parent, address)
        if copy is None:
            return None
        with copy.open("rb") as file:
            return read_body(file)


class S3Log:
    """Objects PREFIX/AWSLogs/ACCOUNT/BedrockModelInvocationLogs/REGION/YYYY/MM/DD/HH/*.json.gz.

    If there is no AWSLogs/ below the prefix, all objects below the prefix are read.
    """

    def __init__(self, services: AwsServices, bucket: str, prefix: str) -> None:
        self._services = services
        self._bucket = bucket
        self._prefix = f"{prefix.rstrip('/')}/" if prefix else ""

    async def lines(self, window: Window) -> AsyncIterator[Line | UnreadablePiece]:
        s3 = await self._services.client("s3")
        regions = await self._regions(s3)
        for root in regions or [self._prefix]:
            async for key in self._keys(s3, root, window if regions else Window()):
                with tempfile.SpooledTemporaryFile(max_size=SPOOLED) as file:
                    await _download(s3, self._bucket, key, file)
                    for line in read_lines(file, f"s3://{self._bucket}/{key}"):
                        yield line

    async def body(self, address: str) -> bytes | None:
        return await _fetch_body(self._services, address)

    async def _regions(self, s3: Any) -> list[str]:
        """The folders of Regions. The keys in each sort by time."""
        accounts = await self._folders(s3, f"{self._prefix}AWSLogs/")
        return [region for account in accounts for region in await self._folders(s3, f"{account}{_LOGS}")]

    async def _folders(self, s3: Any, prefix: str) -> list[str]:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix, Delimiter="/")
        return [each["Prefix"] async for page in pages for each in page.get("CommonPrefixes", ())]

    async def _keys(self, s3: Any, root: str, window: Window) -> AsyncIterator[str]:
        """The keys of log files, listing only the hours that overlap the window."""
        arguments = {"Bucket": self._bucket, "Prefix": root}
        if window.since is not None:
            arguments["StartAfter"] = f"{root}{window.since - MARGIN:%Y/%m/%d/%H}"
        end = None if window.until is None else f"{root}{window.until + MARGIN:%Y/%m/%d/%H}0"  # after "HH/…"
        async for page in s3.get_paginator("list_objects_v2").paginate(**arguments):
            for each in page.get("Contents", ()):
                key: str = each["Key"]
                if end is not None and key > end:
                    return
                if key.endswith((".json", ".json.gz")) and not is_body(key):
                    yield key


class CloudWatchLog:
    """A log group of CloudWatch Logs, with one record per event."""

    def __init__(self, services: AwsServices, group: str) -> None:
        self._services = services
        self._group = group

    async def lines(self, window: Window) -> AsyncIterator[Line | UnreadablePiece]:
        logs = await self._services.client("logs")
        arguments: dict[str, Any] = {"logGroupName": self._group}
        if window.since is not None:
            arguments["startTime"] = _milliseconds(window.since - MARGIN)
        if window.until is not None:
            arguments["endTime"] = _milliseconds(window.until + MARGIN)
        async for page in logs.get_paginator("filter_log_events").paginate(**arguments):
            for event in page["events"]:
                yield Line(f"logs:{self._group}/{event['logStreamName']}/{event['eventId']}", event["message"].encode())

    async def body(self, address: str) -> bytes | None:
        return await _fetch_body(self._services, address)


async def _fetch_body(services: AwsServices, address: str) -> bytes | None:
    """The body at an `s3://` address. None: missing or unreadable."""
    from botocore.exceptions import ClientError

    bucket, _, key = address.removeprefix("s3://").partition("/")
    if not address.startswith("s3://") or not bucket or not key:
        return None
    with tempfile.SpooledTemporaryFile(max_size=SPOOLED) as file:
        try:
            await _download(await services.client("s3"), bucket, key, file)
        except ClientError:
            return None
        return read_body(file)


async def _download(s3: Any, bucket: str, key: str, file: IO[bytes]) -> None:
    body = (await s3.get_object(Bucket=bucket, Key=key))["Body"]
    async with body:
        async for piece in body.iter_chunks(1 << 20):
            file.write(piece)
    file.seek(0)


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
