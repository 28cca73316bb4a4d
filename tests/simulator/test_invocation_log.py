"""The invocation log: one record per model call, in the documented format."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from harness.errors import EndpointError
from harness.simulator.server import SimulatorOptions, running_simulator

Open = Callable[..., Awaitable[Any]]

MODEL = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
CONVERSE: dict[str, Any] = {"modelId": MODEL, "messages": [{"role": "user", "content": [{"text": "Hi"}]}]}
BODY = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 20, "messages": [{"role": "user", "content": "Hi"}]}


def options(path: Path, **more: Any) -> SimulatorOptions:
    return SimulatorOptions(invocation_log=path, speed=1000, **more)


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_a_call_is_logged_with_its_id_bodies_and_tokens(tmp_path: Path, boto: Open) -> None:
    path = tmp_path / "log.jsonl"
    async with running_simulator(options(path)) as url:
        client = await boto("bedrock-runtime", url, region_name="us-west-2")
        answer = await client.converse(**CONVERSE, requestMetadata={"run": "7"})
    (record,) = records(path)
    assert (record["schemaType"], record["schemaVersion"]) == ("ModelInvocationLog", "1.0")
    assert (record["operation"], record["modelId"], record["region"]) == ("Converse", MODEL, "us-west-2")
    assert record["requestId"] == answer["ResponseMetadata"]["RequestId"]
    assert record["identity"]["arn"].startswith(f"arn:aws:iam::{record['accountId']}:")
    assert record["requestMetadata"] == {"run": "7"}
    assert record["input"]["inputBodyJson"]["messages"] == CONVERSE["messages"]
    assert record["input"]["inputTokenCount"] == answer["usage"]["inputTokens"]
    assert record["output"]["outputTokenCount"] == answer["usage"]["outputTokens"]
    assert record["output"]["outputBodyJson"]["output"] == answer["output"]


async def test_a_streams_output_is_the_list_of_its_events(tmp_path: Path, boto: Open) -> None:
    path = tmp_path / "log.jsonl"
    async with running_simulator(options(path)) as url:
        client = await boto("bedrock-runtime", url)
        body = (await client.invoke_model_with_response_stream(modelId=MODEL, body=json.dumps(BODY)))["body"]
        invoked = [json.loads(event["chunk"]["bytes"]) async for event in body]
        events = [event async for event in (await client.converse_stream(**CONVERSE))["stream"]]
    first, second = (record["output"]["outputBodyJson"] for record in records(path))
    assert [record["operation"] for record in records(path)] == ["InvokeModelWithResponseStream", "ConverseStream"]
    assert first == invoked
    assert [next(iter(event)) for event in second] == [next(iter(event)) for event in events]


async def test_a_failed_call_has_an_error_code_and_no_output(tmp_path: Path, boto: Open) -> None:
    path = tmp_path / "log.jsonl"
    async with running_simulator(options(path, throttle_rate=1.0)) as url:
        client = await boto("bedrock-runtime", url)
        with pytest.raises(ClientError) as refused:
            await client.converse(**CONVERSE)
    (record,) = records(path)
    assert record["errorCode"] == "ThrottlingException"
    assert record["requestId"] == refused.value.response["ResponseMetadata"]["RequestId"]
    assert "output" not in record


async def test_a_profile_is_sometimes_served_in_another_region_and_a_bare_id_never(tmp_path: Path, boto: Open) -> None:
    path = tmp_path / "log.jsonl"
    bare = "anthropic.claude-sonnet-4-6"
    async with running_simulator(options(path)) as url:
        client = await boto("bedrock-runtime", url)
        for model in [f"eu.{bare}", bare] * 10:
            await client.converse(**(CONVERSE | {"modelId": model}))
    served: dict[str, set[str | None]] = {f"eu.{bare}": set(), bare: set()}
    for record in records(path):
        served[record["modelId"]].add(record.get("inferenceRegion"))
    assert served[bare] == {None}
    assert len(served[f"eu.{bare}"]) > 1
    assert all(region.startswith("eu-") for region in served[f"eu.{bare}"] if region)


async def test_a_long_body_is_stored_beside_the_log(tmp_path: Path, boto: Open) -> None:
    path = tmp_path / "log.jsonl"
    long = json.dumps(BODY | {"system": "x" * 100_000})
    async with running_simulator(options(path)) as url:
        await (await boto("bedrock-runtime", url)).invoke_model(modelId=MODEL, body=long)
    (record,) = records(path)
    assert "inputBodyJson" not in record["input"]
    name = record["input"]["inputBodyS3Path"].removeprefix("s3://simulated/")
    assert (tmp_path / name).read_text() == long


async def test_a_log_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    with pytest.raises(EndpointError, match="cannot be written"):
        async with running_simulator(options(tmp_path)):
            pass
