from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from moto.server import ThreadedMotoServer

from harness.clock import utc_now
from harness.endpoints.base import MADE_UP_KEY_ID, MADE_UP_SECRET, Connection
from harness.endpoints.invocation_log.records import InvocationLog, LogRecord, open_log, read_record
from harness.errors import EndpointError

ROOT = "kept/AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1"
BUCKET = "invocations"
GROUP = "/aws/bedrock/invocations"
LOCAL = Connection(region="us-east-1")


def record(number: int = 1, **more: Any) -> dict[str, Any]:
    """A record in the documented shape; `number` is its minute and its request id."""
    return {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": f"2026-11-01T09:{number:02}:00Z",
        "accountId": "123456789012",
        "identity": {"arn": "arn:aws:iam::123456789012:user/app"},
        "region": "us-east-1",
        "requestId": f"request-{number}",
        "operation": "Converse",
        "modelId": "global.anthropic.claude-haiku-4-5-20251001-v1:0",
        "input": {
            "inputContentType": "application/json",
            "inputBodyJson": {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]},
            "inputTokenCount": 4,
            "cacheReadInputTokenCount": 1,
            "cacheWriteInputTokenCount": 2,
        },
        "output": {
            "outputContentType": "application/json",
            "outputBodyJson": {"stopReason": "x"},
            "outputTokenCount": 3,
        },
        **more,
    }


def lines(*records: dict[str, Any] | str) -> bytes:
    return "".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in records).encode()


async def read(log: InvocationLog) -> list[str]:
    return [found.request_id async for found in log.records()]


class Aws:
    """moto's S3 and CloudWatch Logs on loopback, asked by the SDK."""

    def __init__(self, url: str) -> None:
        import boto3

        self.connection = Connection(url=url, region="us-east-1", made_up_credentials=True)
        keys = {"aws_access_key_id": MADE_UP_KEY_ID, "aws_secret_access_key": MADE_UP_SECRET}
        make = boto3.Session(region_name="us-east-1", **keys).client
        self.s3, self.logs = (make(service, endpoint_url=url) for service in ("s3", "logs"))

    def put(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with ExitStack() as stack:
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        stack.callback(server.stop)
        _, port = server.get_host_and_port()
        found = Aws(f"http://127.0.0.1:{port}")
        for client in (found.s3, found.logs):
            stack.callback(client.close)
        found.s3.create_bucket(Bucket=BUCKET)
        yield found


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def make(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return make


def test_a_record_is_read_and_what_is_unknown_is_passed_over() -> None:
    text = json.dumps(record(7, inferenceRegion="us-west-2", somethingNew={"a": 1}, errorCode="X")).encode()
    expected = LogRecord(
        timestamp=datetime(2026, 11, 1, 9, 7, tzinfo=UTC),
        request_id="request-7",
        operation="Converse",
        model_id="global.anthropic.claude-haiku-4-5-20251001-v1:0",
        region="us-east-1",
        inference_region="us-west-2",
        identity="arn:aws:iam::123456789012:user/app",
        input_body=b'{"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}',
        input_tokens=4,
        output_tokens=3,
        cache_read_tokens=1,
        cache_write_tokens=2,
        error_code="X",
    )
    assert expected == read_record(text)


def test_a_record_of_a_call_that_failed_may_lack_input_and_output() -> None:
    short = {key: value for key, value in record().items() if key not in ("input", "output", "identity")}
    found = read_record(json.dumps(short).encode())
    assert (None, None, None, None) == (found.input_body, found.output_tokens, found.identity, found.error_code)


@pytest.mark.parametrize("changed", [{"schemaType": "Other"}, {"requestId": 7}, {"timestamp": "yesterday"}])
def test_what_is_not_a_record_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(msgspec.DecodeError):
        read_record(json.dumps(record(**changed)).encode())


async def test_a_local_file_is_read_packed_or_not(write: Callable[..., Path]) -> None:
    plain, packed = write("a.json", lines(record(1))), write("b.json.gz", gzip.compress(lines(record(2), record(3))))
    async with open_log(str(plain), LOCAL) as log:
        assert ["request-1"] == await read(log)
    async with open_log(str(packed), LOCAL) as log:
        assert ["request-2", "request-3"] == await read(log)


async def test_a_folder_is_read_in_the_order_of_names_without_the_bodies_kept_apart(write: Callable[..., Path]) -> None:
    write("logs/09/b.json", lines(record(2)))
    write("logs/09/a.json", lines(record(1)))
    write("logs/09/data/request-1_input.json.gz", gzip.compress(b"{}"))
    path = write("logs/notes.txt", b"no log")
    async with open_log(str(path.parent), LOCAL) as log:
        assert ["request-1", "request-2"] == await read(log)
        assert 0 == log.broken_count


async def test_a_broken_line_is_counted_with_its_place_and_the_rest_is_read(write: Callable[..., Path]) -> None:
    path = write("a.json", lines(record(1), "{broken", "", '{"schemaType": "ModelInvocationLog"}', record(2)))
    async with open_log(str(path), LOCAL) as log:
        assert ["request-1", "request-2"] == await read(log)
    assert (2, [f"{path}:2", f"{path}:4"]) == (log.broken_count, [each.place for each in log.broken])


async def test_a_packed_file_that_was_cut_gives_what_it_holds_and_says_so(write: Callable[..., Path]) -> None:
    whole = gzip.compress(lines(record(1))) + gzip.compress(lines(record(2)))
    path = write("a.json.gz", whole[:-12])
    async with open_log(str(path), LOCAL) as log:
        assert "request-1" == (await read(log))[0]
    assert 1 == log.broken_count
    assert "damaged" in log.broken[0].why


async def test_only_records_of_the_window_are_given(write: Callable[..., Path]) -> None:
    path = write("a.json", lines(*(record(number) for number in range(10))))
    bounds = {name: datetime(2026, 11, 1, 9, minute, tzinfo=UTC) for name, minute in (("since", 3), ("until", 5))}
    async with open_log(str(path), LOCAL, **bounds) as log:
        assert ["request-3", "request-4"] == await read(log)


async def test_a_long_body_is_found_in_a_copy_of_the_bucket(write: Callable[..., Path]) -> None:
    address = f"s3://{BUCKET}/{ROOT}/2026/11/01/09/data/request-1_input.json.gz"
    path = write("copy/2026/11/01/09/a.json", lines(record(input={"inputBodyS3Path": address})))
    write("copy/2026/11/01/09/data/request-1_input.json.gz", gzip.compress(b'{"long": true}'))
    async with open_log(str(path.parents[4]), LOCAL) as log:
        bodies = [await log.input_body(found) async for found in log.records()]
    assert [b'{"long": true}'] == bodies


async def test_a_body_outside_the_copy_is_never_read(write: Callable[..., Path]) -> None:
    write("secret.json", b"{}")
    address = f"s3://{BUCKET}/../secret.json"
    path = write("copy/a.json", lines(record(input={"inputBodyS3Path": address})))
    async with open_log(str(path.parent), LOCAL) as log:
        assert [None] == [await log.input_body(found) async for found in log.records()]


@pytest.mark.parametrize("source", ["/no/such/log.json", "s3://", "logs:"])
async def test_a_source_that_is_invalid_says_what_one_looks_like(source: str) -> None:
    with pytest.raises(EndpointError, match=r"s3://BUCKET|logs:GROUP"):
        async with open_log(source, LOCAL):
            pass


async def test_a_bucket_is_read_hour_by_hour_and_only_the_hours_of_the_window(aws: Aws) -> None:
    for hour in ("07", "09", "12"):
        written = record(int(hour), timestamp=f"2026-11-01T{hour}:30:00Z")
        aws.put(f"{ROOT}/2026/11/01/{hour}/x_{hour}.json.gz", gzip.compress(lines(written)))
    aws.put(f"{ROOT}/2026/11/01/15/late.json.gz", b"\x1f\x8bnever asked for")
    aws.put(f"{ROOT.rpartition('/')[0]}/amazon-bedrock-logs-permission-check", b"")
    since, until = datetime(2026, 11, 1, 9, tzinfo=UTC), datetime(2026, 11, 1, 13, tzinfo=UTC)
    async with open_log(f"s3://{BUCKET}/kept", aws.connection, since=since, until=until) as log:
        assert ["request-9", "request-12"] == await read(log)
        assert 0 == log.broken_count


async def test_a_prefix_below_the_hours_is_read_as_it_is(aws: Aws) -> None:
    aws.put("elsewhere/one.json.gz", gzip.compress(lines(record(1))))
    aws.put("elsewhere/two.json", lines(record(2)))
    async with open_log(f"s3://{BUCKET}/elsewhere", aws.connection) as log:
        assert ["request-1", "request-2"] == await read(log)


async def test_a_long_body_is_fetched_from_its_bucket_and_one_that_is_gone_is_none(aws: Aws) -> None:
    address = f"s3://{BUCKET}/bodies/data/request-1_input.json.gz"
    aws.put("bodies/data/request-1_input.json.gz", gzip.compress(b'{"long": true}'))
    there, gone = record(1, input={"inputBodyS3Path": address}), record(2, input={"inputBodyS3Path": f"{address}x"})
    aws.put("bodies/a.json.gz", gzip.compress(lines(there, gone)))
    async with open_log(f"s3://{BUCKET}/bodies", aws.connection) as log:
        assert [b'{"long": true}', None] == [await log.input_body(found) async for found in log.records()]


async def test_a_log_group_is_read_over_all_its_pages(aws: Aws) -> None:
    aws.logs.create_log_group(logGroupName=GROUP)
    aws.logs.create_log_stream(logGroupName=GROUP, logStreamName="s")
    at = int(utc_now().timestamp() * 1000) - 60_000  # CloudWatch Logs takes no events of more than 14 days ago
    events = [{"timestamp": at + n, "message": json.dumps(record(n % 60, requestId=f"{n}"))} for n in range(12_000)]
    for start in range(0, len(events), 2000):
        batch = events[start : start + 2000]
        aws.logs.put_log_events(logGroupName=GROUP, logStreamName="s", logEvents=batch)
    since, until = datetime(2026, 11, 1, tzinfo=UTC), utc_now()
    async with open_log(f"logs:{GROUP}", aws.connection, since=since, until=until) as log:
        assert {str(n) for n in range(12_000)} == set(await read(log))


async def test_a_window_of_another_zone_holds_the_same_records_in_a_bucket_and_in_a_log_group(aws: Aws) -> None:
    now = utc_now().replace(microsecond=0)
    aws.logs.create_log_group(logGroupName="/zones")
    aws.logs.create_log_stream(logGroupName="/zones", logStreamName="s")
    for number, hours in enumerate((30, 3, 2, 1)):
        at = now - timedelta(hours=hours)
        text = json.dumps(record(number, timestamp=f"{at:%Y-%m-%dT%H:%M:%SZ}"))
        event = {"timestamp": int(at.timestamp() * 1000), "message": text}
        aws.logs.put_log_events(logGroupName="/zones", logStreamName="s", logEvents=[event])
        aws.put(f"{ROOT.replace('kept', 'zones')}/{at:%Y/%m/%d/%H}/a.json.gz", text.encode())
    since = (now - timedelta(hours=3)).astimezone(timezone(timedelta(hours=5, minutes=45)))
    until = (now - timedelta(hours=1)).astimezone(timezone(-timedelta(hours=3, minutes=30)))
    for source in (f"s3://{BUCKET}/zones", "logs:/zones"):
        async with open_log(source, aws.connection, since=since, until=until) as log:
            assert ["request-1", "request-2"] == await read(log), source


@pytest.mark.parametrize("source", ["s3://no-such-bucket", "logs:no-such-group"])
async def test_a_log_that_is_not_there_names_the_refusal_and_the_remedy(aws: Aws, source: str) -> None:
    with pytest.raises(EndpointError, match=rf"{source}.*was refused.*harness doctor"):
        async with open_log(source, aws.connection) as log:
            await read(log)
