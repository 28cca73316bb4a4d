"""The simulator through the unmodified SDKs, and as a separate process."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aioboto3
import anthropic
import pytest
from aiobotocore.config import AioConfig
from botocore.exceptions import ClientError, EventStreamError

from harness.errors import EndpointError
from harness.simulator.model.answers import prompt_digest
from harness.simulator.server import SimulatorOptions, running_simulator

Start = Callable[..., Awaitable[str]]

MODEL = "us.anthropic.claude-opus-4-5-20251101-v1:0"
QUESTION = "Capital of France? One word."
MESSAGES = [{"role": "user", "content": QUESTION}]
CONVERSE = {"modelId": MODEL, "messages": [{"role": "user", "content": [{"text": QUESTION}]}]}
BODY = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100, "messages": MESSAGES})
SERVE = """
import sys
from harness.simulator.server import SimulatorOptions, serve
serve(SimulatorOptions(stop_with_stdin=True), lambda url: print(url, flush=True))
"""


@asynccontextmanager
async def boto_client(url: str) -> AsyncIterator[Any]:
    session = aioboto3.Session(aws_access_key_id="made", aws_secret_access_key="up", region_name="us-east-1")
    config = AioConfig(retries={"total_max_attempts": 1, "mode": "standard"})
    async with session.client("bedrock-runtime", endpoint_url=url, config=config) as client:
        yield client


@asynccontextmanager
async def sdk_client(url: str) -> AsyncIterator[anthropic.AsyncAnthropicBedrock]:
    async with anthropic.AsyncAnthropicBedrock(
        aws_access_key="made", aws_secret_key="up", aws_region="us-east-1", base_url=url, max_retries=0
    ) as client:
        yield client


@pytest.fixture
async def url(simulator: Start, tmp_path: Path) -> str:
    """A fast simulator that knows the answer and, as Opus with this seed, gets it right."""
    key = tmp_path / "answers.json"
    key.write_text(json.dumps({prompt_digest(QUESTION): {"answer": "Paris"}}))
    return await simulator(speed=1000, answer_key=key, seed=1)


def is_right(text: str) -> bool:
    return text.strip().rstrip(".") == "Paris"


async def test_aioboto3_invokes_a_model(url: str) -> None:
    async with boto_client(url) as client:
        response = await client.invoke_model(modelId=MODEL, body=BODY)
        body = json.loads(await response["body"].read())
    assert is_right(body["content"][0]["text"])
    assert response["contentType"] == "application/json"
    assert response["ResponseMetadata"]["RequestId"]
    assert response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-bedrock-output-token-count"] == "2"


async def test_aioboto3_streams_an_invocation(url: str) -> None:
    async with boto_client(url) as client:
        response = await client.invoke_model_with_response_stream(modelId=MODEL, body=BODY)
        events = [json.loads(event["chunk"]["bytes"]) async for event in response["body"]]
    assert response["contentType"] == "application/json"
    assert is_right("".join(event["delta"]["text"] for event in events if event["type"] == "content_block_delta"))
    assert events[-1]["amazon-bedrock-invocationMetrics"]["outputTokenCount"] == 2


async def test_aioboto3_converses(url: str) -> None:
    async with boto_client(url) as client:
        response = await client.converse(**CONVERSE)
    assert is_right(response["output"]["message"]["content"][0]["text"])
    assert response["stopReason"] == "end_turn"
    assert response["usage"]["totalTokens"] == response["usage"]["inputTokens"] + 2
    assert response["metrics"]["latencyMs"] >= 0


async def test_aioboto3_streams_a_conversation(url: str) -> None:
    async with boto_client(url) as client:
        response = await client.converse_stream(**CONVERSE)
        events = [event async for event in response["stream"]]
    deltas = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    assert is_right("".join(deltas))
    assert events[-2] == {"messageStop": {"stopReason": "end_turn"}}
    assert events[-1]["metadata"]["usage"]["outputTokens"] == 2


async def test_the_anthropic_sdk_creates_a_message(url: str) -> None:
    async with sdk_client(url) as client:
        message = await client.messages.create(
            model=MODEL,
            max_tokens=100,
            messages=[{"role": "user", "content": QUESTION}],
            extra_body={"anthropic_version": "bedrock-2023-05-31"},
        )
    (block,) = message.content
    assert block.type == "text"
    assert is_right(block.text)
    assert message.usage.output_tokens == 2


async def test_the_anthropic_sdk_streams_a_message(url: str) -> None:
    async with sdk_client(url) as client:
        stream = await client.messages.create(
            model=MODEL,
            max_tokens=100,
            messages=[{"role": "user", "content": QUESTION}],
            stream=True,
            extra_body={"anthropic_version": "bedrock-2023-05-31"},
        )
        events = [event async for event in stream]
    deltas = [event.delta for event in events if event.type == "content_block_delta"]
    assert is_right("".join(delta.text for delta in deltas if delta.type == "text_delta"))
    metrics: Any = events[-1].to_dict()["amazon-bedrock-invocationMetrics"]
    assert metrics["outputTokenCount"] == 2


async def test_a_throttle_is_a_throttle_to_both_sdks(simulator: Start) -> None:
    url = await simulator(throttle_rate=1.0)
    async with boto_client(url) as boto:
        with pytest.raises(ClientError) as refused:
            await boto.converse_stream(**CONVERSE)
    assert refused.value.response["Error"]["Code"] == "ThrottlingException"
    assert refused.value.response["Error"]["Message"].startswith("Too many tokens")
    async with sdk_client(url) as sdk:
        with pytest.raises(anthropic.RateLimitError):
            await sdk.messages.create(
                model=MODEL,
                max_tokens=1,
                messages=[{"role": "user", "content": QUESTION}],
                extra_body={"anthropic_version": "bedrock-2023-05-31"},
            )


async def test_an_interrupted_stream_raises_in_both_of_botos_readers(simulator: Start) -> None:
    url = await simulator(speed=1000, interrupt_rate=1.0)
    async with boto_client(url) as client:
        body = (await client.invoke_model_with_response_stream(modelId=MODEL, body=BODY))["body"]
        stream = (await client.converse_stream(**CONVERSE))["stream"]
        for events in (body, stream):
            with pytest.raises(EventStreamError, match="interrupted") as broken:
                assert all([event async for event in events])
            assert broken.value.response["Error"]["Code"] == "serviceUnavailableException"
        assert (await client.converse(**CONVERSE))["stopReason"] == "end_turn"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"host": "0.0.0.0"}, "loopback only"),
        ({"host": "localhost"}, "loopback only"),
        ({"throttle_rate": 0.6, "unavailable_rate": 0.6}, "add up to 1"),
        ({"throttle_rate": -0.1}, "shares from 0 to 1"),
        ({"interrupt_rate": 1.5}, "share from 0 to 1"),
        ({"logging": "ftp://x"}, "not one of s3://BUCKET"),
        ({"speed": 0.0}, "above 0"),
        ({"fixed": (0.1, 0.1, 0)}, "at least one chunk"),
        ({"answer_key": Path("missing.json")}, r"missing\.json"),
    ],
)
async def test_invalid_options_are_rejected(simulator: Start, options: dict[str, Any], message: str) -> None:
    with pytest.raises(EndpointError, match=message):
        await simulator(**options)


async def test_a_port_in_use_is_reported(simulator: Start) -> None:
    port = int((await simulator()).rpartition(":")[2])
    with pytest.raises(EndpointError, match=f"port {port}"):
        await simulator(port=port)


async def test_stopping_closes_every_connection() -> None:
    async with running_simulator(SimulatorOptions(fixed=(600.0, 0.0, 1))) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"POST /model/anthropic.claude-opus-4-6-v1/converse HTTP/1.1\r\nHost: x\r\nAuthorization: a\r\n")
        content = b'{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}'
        writer.write(b"Content-Length: %d\r\n\r\n" % len(content) + content)
        await writer.drain()
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


@asynccontextmanager
async def child_simulator() -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVE),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert child.stdout is not None
        yield child, (await child.stdout.readline()).decode().strip()
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


async def test_a_separate_process_serves_and_exits_with_its_stdin() -> None:
    async with child_simulator() as (child, url):
        async with boto_client(url) as client:
            with pytest.raises(ClientError, match="model identifier is invalid"):
                await client.converse(**(CONVERSE | {"modelId": "no-such-model"}))
        assert child.stdin is not None
        child.stdin.close()
        assert await child.communicate() == (b"", b"")
        assert child.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_separate_process_exits_cleanly_on_a_signal(number: signal.Signals) -> None:
    async with child_simulator() as (child, url):
        assert url.startswith("http://127.0.0.1:")
        child.send_signal(number)
        assert child.stderr is not None
        assert await child.stderr.read() == b""
        assert await child.wait() == 0
