"""Log records of a run's time, spooled to a file for DuckDB to join, so that any number of them fits in memory."""

from __future__ import annotations

from collections.abc import AsyncIterable
from datetime import datetime, timedelta
from typing import IO

import msgspec

from harness.clock import utc_from_ns
from harness.endpoints.invocation_log.records import LogRecord
from harness.store.manifest import Manifest

CLOCK_SKEW = timedelta(minutes=2)
"""How far this machine's clock and the service's may be apart."""
LONGEST_CALL = timedelta(minutes=10)


class Logged(msgspec.Struct, frozen=True, kw_only=True):
    """One record of the log, without its bodies."""

    aws_request_id: str
    at_us: int
    """Microseconds since 1970, UTC."""
    model_id: str
    """An ARN's last part: a profile or model id."""
    region: str
    served_in: str
    """The Region that served the call: `inferenceRegion`, or the called one if that is missing."""
    identity: str | None
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    error_code: str | None


def run_window(manifest: Manifest, first_ns: int, last_ns: int) -> tuple[datetime, datetime]:
    """The time in which a run's calls may have been logged; `*_ns` since the run's origin."""
    start = utc_from_ns(manifest.utc_ns(first_ns)) - CLOCK_SKEW
    return start, utc_from_ns(manifest.utc_ns(last_ns)) + CLOCK_SKEW + LONGEST_CALL


async def spool(records: AsyncIterable[LogRecord], file: IO[bytes]) -> int:
    """Write the records as lines of JSON; returns how many there were."""
    encoder, count = msgspec.json.Encoder(), 0
    async for record in records:
        file.write(encoder.encode(_logged(record)) + b"\n")
        count += 1
    return count


def _logged(record: LogRecord) -> Logged:
    return Logged(
        aws_request_id=record.request_id,
        at_us=round(record.timestamp.timestamp() * 1e6),
        model_id=bare_id(record.model_id),
        region=record.region,
        served_in=record.inference_region or record.region,
        identity=record.identity,
        input_tokens=record.input_tokens,
        output_tokens=record.output_tokens,
        cache_read_tokens=record.cache_read_tokens,
        cache_write_tokens=record.cache_write_tokens,
        error_code=record.error_code,
    )


def bare_id(model_id: str) -> str:
    """A profile's or model's id, given as an id or an ARN."""
    return model_id.rpartition("/")[2] if model_id.startswith("arn:") else model_id
