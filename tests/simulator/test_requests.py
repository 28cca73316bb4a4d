"""Options of a request: tools, thinking, caching, long prompts, sampling."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from botocore.exceptions import ClientError

from harness.simulator.model.answers import prompt_digest

Start = Callable[..., Awaitable[str]]
Open = Callable[..., Awaitable[Any]]

OPUS = "us.anthropic.claude-opus-4-5-20251101-v1:0"
SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NEW = "us.anthropic.claude-opus-4-8"
QUESTION = "Weather in Paris?"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
CALL = {"tool": "weather", "input": {"city": "Paris"}}
TOOLS = [{"name": "weather", "description": "The weather.", "input_schema": SCHEMA}]
TOOL_CONFIG = {"tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": SCHEMA}}}]}
THINKING = {"type": "enabled", "budget_tokens": 1024}


class Asker:
    """The same question through InvokeModel and Converse, complete and streamed."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def invoke(self, model: str = OPUS, **body: Any) -> dict[str, Any]:
        response = await self.client.invoke_model(modelId=model, body=self._body(body))
        answer: dict[str, Any] = json.loads(await response["body"].read())
        return answer

    async def invoke_stream(self, model: str = OPUS, **body: Any) -> list[dict[str, Any]]:
        response = await self.client.invoke_model_with_response_stream(modelId=model, body=self._body(body))
        return [json.loads(event["chunk"]["bytes"]) async for event in response["body"]]

    async def converse(self, model: str = OPUS, **more: Any) -> dict[str, Any]:
        messages = [{"role": "user", "content": [{"text": QUESTION}]}]
        answer: dict[str, Any] = await self.client.converse(**({"modelId": model, "messages": messages} | more))
        return answer

    async def converse_stream(self, model: str = OPUS, **more: Any) -> list[dict[str, Any]]:
        messages = [{"role": "user", "content": [{"text": QUESTION}]}]
        response = await self.client.converse_stream(modelId=model, messages=messages, **more)
        return [event async for event in response["stream"]]

    def _body(self, more: dict[str, Any]) -> str:
        messages = [{"role": "user", "content": QUESTION}]
        version = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 2000, "messages": messages}
        return json.dumps(version | more)


@pytest.fixture
async def asker(simulator: Start, boto: Open, tmp_path: Path) -> Asker:
    """A client of a simulator that knows which tool to call and, with this seed, does."""
    key = tmp_path / "key.json"
    key.write_text(json.dumps({prompt_digest(QUESTION): {"answer": json.dumps(CALL)}}))
    return Asker(await boto("bedrock-runtime", await simulator(speed=1000, answer_key=key, seed=3)))


async def test_a_prompt_with_tools_is_answered_with_the_keys_call(asker: Asker) -> None:
    answer = await asker.invoke(tools=TOOLS)
    (block,) = answer["content"]
    assert (block["type"], block["name"], block["input"]) == ("tool_use", "weather", {"city": "Paris"})
    assert answer["stop_reason"] == "tool_use"
    reply = await asker.converse(toolConfig=TOOL_CONFIG)
    call = reply["output"]["message"]["content"][0]["toolUse"]
    assert (call["name"], call["input"], reply["stopReason"]) == ("weather", {"city": "Paris"}, "tool_use")


async def test_a_call_is_streamed_as_the_json_of_its_input(asker: Asker) -> None:
    events = await asker.invoke_stream(tools=TOOLS)
    assert events[1]["content_block"]["name"] == "weather"
    parts = [event["delta"]["partial_json"] for event in events if event["type"] == "content_block_delta"]
    assert json.loads("".join(parts)) == {"city": "Paris"}
    reply = await asker.converse_stream(toolConfig=TOOL_CONFIG)
    assert reply[1]["contentBlockStart"]["start"]["toolUse"]["name"] == "weather"
    pieces = [event["contentBlockDelta"]["delta"] for event in reply if "contentBlockDelta" in event]
    assert json.loads("".join(piece["toolUse"]["input"] for piece in pieces)) == {"city": "Paris"}


async def test_without_tools_or_with_choice_none_the_answer_is_text(asker: Asker) -> None:
    no_tools: dict[str, Any] = {}
    for more in (no_tools, {"tools": TOOLS, "tool_choice": {"type": "none"}}):
        assert (await asker.invoke(**more))["content"][0]["type"] == "text"


async def test_a_required_call_is_made_up_from_the_schema(asker: Asker) -> None:
    messages = [{"role": "user", "content": "Unknown to the key."}]
    answer = await asker.invoke(tools=TOOLS, tool_choice={"type": "any"}, messages=messages)
    assert answer["content"][0]["input"] == {"city": "something", "days": 1}


async def test_thinking_comes_first_in_every_dialect(asker: Asker) -> None:
    answer = await asker.invoke(thinking=THINKING)
    assert [block["type"] for block in answer["content"]] == ["thinking", "text"]
    assert answer["content"][0]["signature"]
    reply = await asker.converse(additionalModelRequestFields={"thinking": THINKING})
    thought = reply["output"]["message"]["content"][0]["reasoningContent"]["reasoningText"]
    assert thought["text"] == answer["content"][0]["thinking"]
    events = await asker.invoke_stream(thinking=THINKING)
    kinds = [event["delta"]["type"] for event in events if event["type"] == "content_block_delta"]
    assert list(dict.fromkeys(kinds)) == ["thinking_delta", "signature_delta", "text_delta"]
    frames = await asker.converse_stream(additionalModelRequestFields={"thinking": THINKING})
    deltas = [event["contentBlockDelta"] for event in frames if "contentBlockDelta" in event]
    assert {delta["contentBlockIndex"] for delta in deltas if "reasoningContent" in delta["delta"]} == {0}
    assert {delta["contentBlockIndex"] for delta in deltas if "text" in delta["delta"]} == {1}


@pytest.mark.parametrize(
    ("model", "body", "message"),
    [
        (OPUS, {"thinking": {"type": "enabled", "budget_tokens": 100}}, "greater than or equal to 1024"),
        (OPUS, {"thinking": {"type": "enabled", "budget_tokens": 2000}}, "must be greater than"),
        (OPUS, {"thinking": {"type": "adaptive"}}, "not supported by this model"),
        (OPUS, {"thinking": {"type": "deep"}}, "thinking.type"),
        (NEW, {"temperature": 0}, "temperature: sampling parameters"),
        (NEW, {"top_k": 5}, "top_k: sampling parameters"),
        (OPUS, {"tools": TOOLS, "tool_choice": {"type": "tool", "name": "x"}}, "no tool named 'x'"),
        (OPUS, {"messages": [{"role": "user", "content": "x" * 800_004}]}, "Input is too long for requested model"),
    ],
)
async def test_unsupported_options_are_rejected(asker: Asker, model: str, body: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message) as refused:
        await asker.invoke(model, **body)
    assert refused.value.response["Error"]["Code"] == "ValidationException"


@pytest.mark.parametrize(
    ("model", "more"),
    [
        (NEW, {"inferenceConfig": {"temperature": 0.0}}),
        (NEW, {"additionalModelRequestFields": {"top_k": 5}}),
        (OPUS, {"system": [{"text": "x" * 800_000}]}),
    ],
)
async def test_converse_rejects_the_same(asker: Asker, model: str, more: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as refused:
        await asker.converse(model, **more)
    assert refused.value.response["Error"]["Code"] == "ValidationException"


async def test_older_models_accept_sampling_parameters(asker: Asker) -> None:
    assert await asker.invoke(temperature=0, top_k=5)
    assert await asker.converse(inferenceConfig={"temperature": 0.0, "topP": 0.5})


async def test_the_beta_allows_a_million_tokens_on_sonnet_only(asker: Asker) -> None:
    beta = ["context-1m-2025-08-07"]
    long = [{"role": "user", "content": "x" * 1_000_000}]
    assert (await asker.invoke(SONNET, messages=long, anthropic_beta=beta))["usage"]["input_tokens"] == 250_000
    converse = [{"role": "user", "content": [{"text": "x" * 1_000_000}]}]
    assert await asker.converse(SONNET, messages=converse, additionalModelRequestFields={"anthropic_beta": beta})
    with pytest.raises(ClientError, match="too long"):
        await asker.invoke(SONNET, messages=long)
    with pytest.raises(ClientError, match="too long"):
        await asker.invoke(OPUS, messages=long, anthropic_beta=beta)


async def test_a_prefix_is_written_to_the_cache_and_then_read(asker: Asker) -> None:
    system = [{"type": "text", "text": "x" * 400, "cache_control": {"type": "ephemeral"}}]
    first, second = [(await asker.invoke(system=system))["usage"] for _ in range(2)]
    assert (first["input_tokens"], first["cache_creation_input_tokens"], first["cache_read_input_tokens"]) == (
        5,
        100,
        0,
    )
    assert first["cache_creation"] == {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 0}
    assert (second["input_tokens"], second["cache_creation_input_tokens"], second["cache_read_input_tokens"]) == (
        5,
        0,
        100,
    )
    start, *_, stop = await asker.invoke_stream(system=system)
    assert start["message"]["usage"]["cache_read_input_tokens"] == 100
    assert stop["amazon-bedrock-invocationMetrics"]["cacheReadInputTokenCount"] == 100


async def test_a_cache_point_does_the_same_through_converse(asker: Asker) -> None:
    system = [{"text": "y" * 400}, {"cachePoint": {"type": "default"}}]
    first, second = [(await asker.converse(system=system))["usage"] for _ in range(2)]
    assert (first["cacheWriteInputTokens"], first["cacheReadInputTokens"], first["inputTokens"]) == (100, 0, 5)
    assert (second["cacheWriteInputTokens"], second["cacheReadInputTokens"], second["inputTokens"]) == (0, 100, 5)
    assert first["totalTokens"] == 105 + first["outputTokens"]


async def test_performance_settings_are_accepted_and_echoed(asker: Asker) -> None:
    reply = await asker.converse(performanceConfig={"latency": "optimized"})
    assert reply["performanceConfig"] == {"latency": "optimized"}
    response = await asker.client.invoke_model(modelId=OPUS, body=asker._body({}), performanceConfigLatency="optimized")
    assert response["performanceConfigLatency"] == "optimized"


@pytest.mark.parametrize("operation", ["invoke", "converse", "count-tokens"])
async def test_endless_nesting_is_rejected_and_does_not_break_the_connection(simulator: Start, operation: str) -> None:
    url = await simulator()
    headers = {"Authorization": "AWS4-HMAC-SHA256 Credential=x/20261122/us-east-1/bedrock/aws4_request"}
    async with httpx2.AsyncClient(headers=headers) as http:
        answer = await http.post(f"{url}/model/{NEW}/{operation}", content=b"[" * 30_000)
    assert 400 == answer.status_code
