"""Reads Bedrock's model invocation log record by record."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import msgspec

from harness.endpoints.base import Connection
from harness.endpoints.failures import clean
from harness.endpoints.invocation_log.sources import Line, Source, UnreadablePiece, Window, find_source
from harness.endpoints.reply import Tokens
from harness.errors import EndpointError

KEPT_BROKEN = 20
"""The most unreadable pieces whose place is noted. All are counted."""
ATTEMPTS = 5
SCHEMA_TYPE = "ModelInvocationLog"


class LogRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One call as Bedrock logged it. None: not in the record. Bodies are JSON, and hostile input."""

    timestamp: datetime
    """UTC; the real service logs whole seconds."""
    request_id: str
    operation: str
    """`InvokeModel`, `InvokeModelWithResponseStream`, `Converse`, `ConverseStream`."""
    model_id: str
    region: str
    inference_region: str | None = None
    """The Region that served the call, if it was another one."""
    identity: str | None = None
    """ARN of the caller."""
    input_body: bytes | None = None
    input_body_path: str | None = None
    """`s3://…` address of a body that was too long for the record."""
    input_tokens: int | None = None
    """Without cached tokens."""
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    error_code: str | None = None


class _Identity(msgspec.Struct, frozen=True):
    arn: str | None = None


class _Input(msgspec.Struct, frozen=True, rename="camel"):
    input_body_json: msgspec.Raw = msgspec.Raw(b"null")
    input_body_s3_path: str | None = None
    input_token_count: Tokens | None = None
    cache_read_input_token_count: Tokens | None = None
    cache_write_input_token_count: Tokens | None = None


class _Output(msgspec.Struct, frozen=True, rename="camel"):
    output_token_count: Tokens | None = None


class _Record(msgspec.Struct, frozen=True, rename="camel"):
    schema_type: str
    timestamp: datetime
    request_id: str
    operation: str
    model_id: str
    region: str
    inference_region: str | None = None
    identity: _Identity | None = None
    input: _Input | None = None
    output: _Output | None = None
    error_code: str | None = None


_decoder = msgspec.json.Decoder(_Record)


def read_record(line: bytes) -> LogRecord:
    """Decode a record from one line; unknown fields are ignored. msgspec.DecodeError: not a record."""
    found = _decoder.decode(line)
    if found.schema_type != SCHEMA_TYPE:
        raise msgspec.ValidationError(f"schemaType is {found.schema_type[:40]!r}, not {SCHEMA_TYPE!r}")
    given, answered = found.input or _Input(), found.output or _Output()
    return LogRecord(
        timestamp=_in_utc(found.timestamp),
        request_id=found.request_id,
        operation=found.operation,
        model_id=found.model_id,
        region=found.region,
        inference_region=found.inference_region,
        identity=found.identity.arn if found.identity else None,
        input_body=_present(given.input_body_json),
        input_body_path=given.input_body_s3_path,
        input_tokens=given.input_token_count,
        output_tokens=answered.output_token_count,
        cache_read_tokens=given.cache_read_input_token_count,
        cache_write_tokens=given.cache_write_input_token_count,
        error_code=found.error_code,
    )


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise msgspec.ValidationError(f"the timestamp {moment} is outside the years 1 to 9999") from error


def _present(body: msgspec.Raw) -> bytes | None:
    return None if bytes(body) == b"null" else bytes(body)


class InvocationLog:
    """An open log. Unreadable pieces are counted, and the places of the first few are noted."""

    def __init__(self, source: Source, window: Window) -> None:
        self._source = source
        self._window = window
        self.lines = 0
        self.broken_count = 0
        self.broken: list[UnreadablePiece] = []

    async def records(self) -> AsyncIterator[LogRecord]:
        """Yield the records of the window in the log's order, holding one in memory at a time."""
        async for line in self._source.lines(self._window):
            if isinstance(line, UnreadablePiece):
                self._count_broken(line)
            elif (record := self._read(line)) is not None and self._window.holds(record.timestamp):
                yield record

    async def input_body(self, record: LogRecord) -> bytes | None:
        """The request body, fetched from S3 if it is stored separately. None: not logged, or missing."""
        if record.input_body is not None or record.input_body_path is None:
            return record.input_body
        return await self._source.body(record.input_body_path)

    def _read(self, line: Line) -> LogRecord | None:
        self.lines += 1
        try:
            return read_record(line.text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._count_broken(UnreadablePiece(line.place, f"not a record of an invocation log: {error}"))
            return None

    def _count_broken(self, broken: UnreadablePiece) -> None:
        self.broken_count += 1
        if len(self.broken) < KEPT_BROKEN:
            self.broken.append(broken)


@asynccontextmanager
async def open_log(
    source: str, connection: Connection, *, since: datetime | None = None, until: datetime | None = None
) -> AsyncIterator[InvocationLog]:
    """Open the log at `s3://BUCKET/PREFIX`, `logs:GROUP` or a local path, for records from `since` to before `until`.

    EndpointError, also while it is open: no such log, no access, no credentials.
    """
    from aiohttp import ClientPayloadError
    from botocore.exceptions import BotoCoreError, ClientError

    from harness.endpoints.aws import AwsServices

    async with AsyncExitStack() as stack:
        retries = {"total_max_attempts": ATTEMPTS, "mode": "standard"}
        found = find_source(source, AwsServices(connection, stack, retries=retries))
        try:
            yield InvocationLog(found, Window(since and since.astimezone(UTC), until and until.astimezone(UTC)))
        except ClientError as error:
            answer = error.response.get("Error", {})
            reason = clean(f"{answer.get('Code')}: {answer.get('Message')}")
            raise EndpointError(
                f"{source}: {error.operation_name} was refused: {reason}; "
                "`harness doctor` shows where this account logs, and your identity"
            ) from error
        except (BotoCoreError, ClientPayloadError) as error:
            raise EndpointError(f"{source}: {clean(str(error))} (`harness doctor` shows what was found)") from error
