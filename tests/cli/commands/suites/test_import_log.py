from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from harness.endpoints.base import MADE_UP_KEY_ID, MADE_UP_SECRET

HAIKU = "global.anthropic.claude-haiku-4-5-20251001-v1:0"


def record(text: str, **more: Any) -> str:
    asked = {"messages": [{"role": "user", "content": [{"text": text}]}], "inferenceConfig": {"maxTokens": 9}}
    return json.dumps(
        {
            "schemaType": "ModelInvocationLog",
            "timestamp": "2026-11-01T09:00:00Z",
            "region": "us-east-1",
            "requestId": "r",
            "operation": "ConverseStream",
            "modelId": HAIKU,
            "input": {"inputBodyJson": asked, "inputTokenCount": 9},
            "output": {"outputTokenCount": 5},
            **more,
        }
    )


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.jsonl"
    picture = {"inputBodyJson": {"messages": [{"role": "user", "content": [{"image": {}}]}]}, "inputTokenCount": 900}
    records = [
        record("Write to a@b.org about ACME-7"),
        record("Write to c@d.org about ACME-8", timestamp="2026-11-02T09:00:00Z"),
        record("", input=picture),
        record("", input={"inputTokenCount": 9}),
        record("nova", modelId="amazon.nova-lite-v1:0"),
        record("late", errorCode="ThrottlingException"),
        "{broken",
    ]
    path.write_text("\n".join(records))
    return path


def test_the_result_is_printed_with_the_next_command(harness: Callable[..., Any], log: Path, tmp_path: Path) -> None:
    done = harness("import", log, "--out", "suites/mine.yaml", "--redact", r"ACME-\d")
    assert 0 == done.returncode, done.stderr
    for text in (
        "1 of 1 distinct prompts in 4 calls",
        "redacted: pattern 2, email 2",
        "images 1",
        "no body: ",
        "amazon.nova-lite-v1:0 1",
        "with an error code 1",
        "unreadable lines: 1",
        "It does not grade answers",
        "harness run suites/mine.yaml --endpoint aws",
    ):
        assert text in done.stdout
    written = (tmp_path / "suites/mine.yaml").read_text()
    assert "Write to [email] about [pattern]" in written
    assert 0 == harness("validate", "suites/mine.yaml").returncode


def tool_record(depth: int) -> str:
    """A call of a tool with deeply nested lists."""
    schema = '{"type":"array","items":' * depth + "{}" + "}" * depth
    tool = '{"toolSpec":{"name":"t","inputSchema":{"json":{"type":"object","properties":{"a":' + schema + "}}}}}"
    asked = '{"messages":[{"role":"user","content":[{"text":"hi"}]}],"toolConfig":{"tools":[' + tool + "]}}"
    return record("", input={"inputBodyJson": "BODY"}).replace('"BODY"', asked)


@pytest.mark.parametrize(
    "hostile",
    [
        *(tool_record(depth) for depth in (45, 200, 400, 5000)),
        record("early", timestamp="0001-01-01T00:00:00+14:00"),
        record("late", timestamp="9999-12-31T23:59:59-14:00"),
        record("", input={"inputBodyJson": {}}).replace("{}", '{"messages":[{"role":"user","content":1e400}]}'),
    ],
)
def test_a_record_that_no_suite_can_express_is_left_out(
    command: Callable[..., Any], tmp_path: Path, hostile: str
) -> None:
    (tmp_path / "log.jsonl").write_text(f"{record('good')}\n{hostile}\n")
    done = command("import", "log.jsonl", "--out", "mine.yaml")
    assert 0 == done.returncode, done.stderr
    assert "nested deeper" in done.stdout or "unreadable lines: 1" in done.stdout or "not a chat request" in done.stdout
    assert 0 == command("validate", "mine.yaml").returncode


@pytest.mark.parametrize("pattern", ["(" * 5000, "a{100000000}"])
def test_a_redaction_pattern_that_would_take_all_memory_is_rejected(
    command: Callable[..., Any], log: Path, pattern: str
) -> None:
    done = command("import", log, "--out", "mine.yaml", "--redact", pattern)
    assert (2, True) == (done.returncode, done.stderr.startswith("error: --redact: the pattern '"))


def test_the_trace_of_a_log_can_be_replayed(harness: Callable[..., Any], log: Path, tmp_path: Path) -> None:
    harness("import", log, "--out", "mine.yaml")
    suite = tmp_path / "mine.yaml"
    load_line = next(line for line in suite.read_text().splitlines() if "arrival: trace" in line).lstrip("# ")
    left = [line for line in suite.read_text().splitlines() if not line.startswith(("load:", "  arrival", "  concur"))]
    for replay in ("", ", replay: sizes, speed: 3600"):
        text = "\n".join([load_line.partition("}")[0] + replay + "}", *left]).replace("  repeats: 1\n", "")
        suite.write_text(text)
        done = harness("run", suite, "--dry-run", "--json")
        assert 0 == done.returncode, done.stderr
        assert [4] == [target["requests"] for target in json.loads(done.stdout)["targets"]]


def test_only_calls_in_the_window_are_imported_and_no_secret_is_written(
    harness: Callable[..., Any], log: Path, tmp_path: Path
) -> None:
    window = ("--since", "2026-11-02", "--until", "2026-11-03T00:00")
    done = harness("import", log, "--out", "suites/mine.yaml", *window, "--json")
    assert 1 == json.loads(done.stdout)["calls"]
    assert "c@d.org" not in "".join(path.read_text() for path in (tmp_path / "suites").iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--out", "mine.txt"), "a suite is a YAML file"),
        (("--out", "log.jsonl"), "already exists"),
        (
            ("--out", "mine.yaml", "--since", "soon"),
            "Invalid value for '--since': 'soon' is not a date or a time; write 2026-11-01",
        ),
        (("--out", "mine.yaml", "--candidate", "claude-5000"), "unknown model 'claude-5000'"),
    ],
)
def test_a_mistake_is_reported_and_nothing_is_written(
    harness: Callable[..., Any], log: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    done = harness("import", log, *options)
    assert (2, True) == (done.returncode, message in done.stderr), done.stderr
    assert [log] == list(tmp_path.iterdir())


LOGGED = "AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1"
TIMES = (
    *("2026-12-31T22:59:59", "2026-12-31T23:00:00", "2026-12-31T23:59:59"),
    *("2027-01-01T00:00:00", "2027-01-01T00:59:59", "2027-01-01T01:00:00", "2027-01-01T08:29:59"),
    *("2027-01-01T08:30:00", "2027-01-01T10:14:59", "2027-01-01T10:15:00", "2027-01-01T13:00:00"),
)


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """moto's S3 on loopback with a call at each of TIMES, filed by hour in UTC, the last of an hour under the next."""
    with ExitStack() as stack:
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        stack.callback(server.stop)
        url = "http://127.0.0.1:{1}".format(*server.get_host_and_port())
        session = boto3.Session(aws_access_key_id=MADE_UP_KEY_ID, aws_secret_access_key=MADE_UP_SECRET)
        s3 = session.client("s3", endpoint_url=url, region_name="us-east-1")
        stack.callback(s3.close)
        s3.create_bucket(Bucket="kept")
        for at in TIMES:
            filed = datetime.fromisoformat(at) + timedelta(minutes=1)
            key = f"{LOGGED}/{filed:%Y/%m/%d/%H}/{filed:%Y%m%dT%H%M%S}.json.gz"
            s3.put_object(Bucket="kept", Key=key, Body=record(f"At {at}", timestamp=f"{at}Z").encode())
        yield url


@pytest.mark.parametrize(
    ("window", "first", "last"),
    [
        (("2027-01-01T14:00+05:30", "2027-01-01T16:00+05:45"), "2027-01-01T08:30:00", "2027-01-01T10:14:59"),
        (("2026-12-31T18:30-04:30", "2027-01-01T05:00-03:30"), "2026-12-31T23:00:00", "2027-01-01T08:29:59"),
        (("2027-01-01T09:00+09:00", "2026-12-31T17:00-08:00"), "2027-01-01T00:00:00", "2027-01-01T00:59:59"),
        (("2026-12-31T23:00Z", "2027-01-01T01:00Z"), "2026-12-31T23:00:00", "2027-01-01T00:59:59"),
        (("2026-12-31T23:00", "2027-01-01T01:00:01"), "2026-12-31T23:00:00", "2027-01-01T01:00:00"),
        (("2026-12-31", "2027-01-01"), "2026-12-31T22:59:59", "2026-12-31T23:59:59"),
        (("2027-01-01", "2027-01-02"), "2027-01-01T00:00:00", "2027-01-01T13:00:00"),
    ],
)
def test_a_window_means_the_same_hours_in_any_time_zone(
    command: Callable[..., Any], bucket: str, window: tuple[str, str], first: str, last: str
) -> None:
    since, until = window
    done = command("import", "s3://kept", "--out", "a.yaml", "--json", "--endpoint", bucket,
                   "--since", since, "--until", until)  # fmt: skip
    assert 0 == done.returncode, done.stderr
    report = json.loads(done.stdout)
    expected = TIMES[TIMES.index(first) : TIMES.index(last) + 1]
    assert (len(expected), f"{first}Z", f"{last}Z") == (report["calls"], report["first_call"], report["last_call"])


@pytest.mark.parametrize(
    ("window", "message"),
    [
        (
            ("--since", "2026-11-03", "--until", "2026-11-02"),
            "--since 2026-11-03T00:00 is not before --until 2026-11-02T00:00",
        ),
        (("--since", "2026-11-02T09:00", "--until", "2026-11-02T14:00+05:00"), "is not before --until"),
        (("--since", "0001-01-01T00:00+05:00"), "'--since': '0001-01-01T00:00+05:00' is not a date"),
        (("--until", "9999-12-31T23:59"), "'--until': '9999-12-31T23:59' is not a date"),
        (("--until", "yesterday"), "write 2026-11-01, 2026-11-01T09:00 (UTC), 2026-11-01T09:00+02:00, or 30d"),
    ],
)
def test_an_empty_window_is_rejected(
    command: Callable[..., Any], log: Path, window: tuple[str, ...], message: str
) -> None:
    done = command("import", log, "--out", "mine.yaml", *window)
    assert (2, True) == (done.returncode, message in done.stderr), done.stderr
