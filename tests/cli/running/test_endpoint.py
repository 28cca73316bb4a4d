from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from harness.cli.running.endpoint import embedded_bedrock, find_logs, log_connection
from harness.endpoints.base import MADE_UP_KEY_ID, MADE_UP_SECRET
from harness.errors import HarnessError
from harness.suite.loader import load_suite

SUITES = Path(__file__).parents[3] / "suites"


@pytest.fixture
def aws() -> Iterator[str]:
    """moto on loopback, with invocation logging to a bucket in us-east-1 and to a log group in eu-west-1."""
    with ExitStack() as stack:
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        stack.callback(server.stop)
        url = "http://127.0.0.1:{1}".format(*server.get_host_and_port())
        session = boto3.Session(aws_access_key_id=MADE_UP_KEY_ID, aws_secret_access_key=MADE_UP_SECRET)

        def client(service: str, region: str) -> Any:
            made = session.client(service, endpoint_url=url, region_name=region)
            stack.callback(made.close)
            return made

        client("s3", "us-east-1").create_bucket(Bucket="kept")
        client("logs", "eu-west-1").create_log_group(logGroupName="/bedrock")
        s3 = {"s3Config": {"bucketName": "kept", "keyPrefix": "all"}}
        group = {"cloudWatchConfig": {"logGroupName": "/bedrock", "roleArn": "arn:aws:iam::123456789012:role/r"}}
        for region, config in (("us-east-1", s3), ("eu-west-1", group)):
            client("bedrock", region).put_model_invocation_logging_configuration(loggingConfig=config)
        yield url


async def test_an_accounts_logs_are_found_region_by_region(aws: str) -> None:
    found, without = await find_logs(aws, ["us-east-1", "eu-west-1", "ap-southeast-2"])
    assert [("s3://kept/all", "us-east-1"), ("logs:/bedrock", "eu-west-1")] == found
    assert ["ap-southeast-2"] == without


def of_children() -> list[str]:
    """Environment and arguments of each child process."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [Path(f"/proc/{child}/{part}").read_text() for child in children for part in ("environ", "cmdline")]


async def test_the_embedded_bedrock_sees_no_credential_and_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SESSION_TOKEN", "ANTHROPIC_API_KEY", "HTTPS_PROXY", "SOMEBODY_ELSES_API_KEY"):
        monkeypatch.setenv(name, "CANARY-secret")
    suite = load_suite(SUITES / "quickstart.yaml")
    async with embedded_bedrock(suite, seed=1):
        seen = of_children()
    assert any("simulate" in each for each in seen)
    assert [] == [each for each in seen if "CANARY" in each]


async def test_a_run_on_the_embedded_bedrock_needs_a_log_file() -> None:
    with pytest.raises(HarnessError, match="--log FILE"):
        await find_logs("simulator", ["us-east-1"])


def test_only_loopback_gets_made_up_credentials() -> None:
    made_up = [log_connection(where, "us-east-1").made_up_credentials for where in ("simulator", "http://127.0.0.1:9")]
    assert [False, True] == made_up
