from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.catalog.target import Api, Options, Tool
from harness.endpoints.invocation_log.prompts import UnusableCall, read_prompt
from harness.endpoints.invocation_log.sources import find_copy
from harness.suite.suite import Message

USER = {"role": "user", "content": "Hello"}
ASSISTANT = {"role": "assistant", "content": "Hi"}


def invoke(**body: Any) -> bytes:
    return json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": [USER], **body}).encode()


def converse(*blocks: Any, **body: Any) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": list(blocks)}], **body}).encode()


def test_an_invoke_body_gives_its_turns_and_options() -> None:
    body = invoke(
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        messages=[USER, {"role": "assistant", "content": [{"type": "text", "text": "Hi"}]}, USER],
        temperature=0.5,
        top_k=3,
        stop_sequences=["END"],
        thinking={"type": "enabled", "budget_tokens": 2048},
        tools=[{"name": "t", "description": "d", "input_schema": {"type": "object"}}],
        tool_choice={"type": "tool", "name": "t"},
        anthropic_beta=["context-1m-2025-08-07"],
    )
    found = read_prompt("invoke", body)
    assert [("user", "Hello"), ("assistant", "Hi"), ("user", "Hello")] == [(m.role, m.content) for m in found.messages]
    expected = Options(
        max_tokens=9,
        system="Be brief.",
        temperature=0.5,
        top_k=3,
        stop_sequences=["END"],
        thinking=2048,
        tools=[Tool(name="t", description="d", input_schema={"type": "object"})],
        tool_choice="t",
        cache="1h",
        beta=["context-1m-2025-08-07"],
    )
    assert expected == found.options


def test_a_converse_body_gives_its_turns_and_options() -> None:
    body = converse(
        {"text": "Hello"},
        {"cachePoint": {"type": "default"}},
        system=[{"text": "Be brief."}],
        inferenceConfig={"maxTokens": 9, "temperature": 0.5, "topP": 0.9, "stopSequences": []},
        additionalModelRequestFields={"top_k": 3, "thinking": {"type": "adaptive"}},
        toolConfig={
            "tools": [{"toolSpec": {"name": "t", "inputSchema": {"json": {"type": "object"}}}}],
            "toolChoice": {"any": {}},
        },
        performanceConfig={"latency": "optimized"},
        serviceTier={"type": "flex"},
    )
    found = read_prompt("converse", body)
    assert (Message(role="user", content="Hello"),) == found.messages
    expected = Options(
        max_tokens=9,
        system="Be brief.",
        temperature=0.5,
        top_p=0.9,
        top_k=3,
        thinking="adaptive",
        tools=[Tool(name="t", input_schema={"type": "object"})],
        tool_choice="any",
        cache="5m",
        service_tier="flex",
        latency="optimized",
    )
    assert expected == found.options


def test_neighbouring_turns_of_one_role_are_joined_as_the_service_joins_them() -> None:
    found = read_prompt("invoke", invoke(messages=[USER, {"role": "user", "content": "again"}]))
    assert (Message(role="user", content="Hello\n\nagain"),) == found.messages


def test_earlier_thinking_is_passed_over() -> None:
    thought = [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "Hi"}]
    found = read_prompt("invoke", invoke(messages=[USER, {"role": "assistant", "content": thought}, USER]))
    assert "Hi" == found.messages[1].content


@pytest.mark.parametrize(
    ("api", "body", "reason"),
    [
        ("converse", converse({"image": {"format": "png"}}, {"text": "?"}), "images"),
        ("converse", converse({"document": {"format": "pdf"}}, {"text": "?"}), "documents"),
        ("converse", converse({"toolResult": {}}), "tool calls and results in the conversation"),
        ("converse", converse({"guardContent": {}}), "content of another kind than text"),
        ("converse", converse({"text": " "}), "a turn without text"),
        (
            "invoke",
            invoke(messages=[USER, ASSISTANT]),
            "an answer started by the caller (prefill)",
        ),
        (
            "invoke",
            invoke(messages=[ASSISTANT, USER]),
            "turns that do not start with the user's",
        ),
        ("invoke", invoke(tools=[{"type": "web_search_20250305", "name": "w"}]), "tools that the service itself runs"),
        ("invoke", invoke(messages=[]), "a turn without text"),
        ("invoke", invoke(messages=[{"role": "user", "content": [{"type": "image"}]}]), "images"),
        ("invoke", b'{"inputText": "Titan"}', "a body that is not a chat request"),
        ("invoke", b"[1]", "a body that is not a chat request"),
        ("invoke", b"cut", "a body that is not a chat request"),
        ("invoke", invoke(max_tokens="many"), "a body that is not a chat request"),
        ("invoke", invoke(system={"a": 1}, messages=[{}]), "a body that is not a chat request"),
    ],
)
def test_what_no_prompt_can_stand_for_is_left_out_with_its_reason(api: Api, body: bytes, reason: str) -> None:
    with pytest.raises(UnusableCall) as told:
        read_prompt(api, body)
    assert reason == str(told.value)


HOSTILE = [
    b'{"messages": [{"role": "user", "content": [{}]}]}',
    b'{"messages": ' + b"[" * 20_000,
    b'{"messages": [{"role": "user", "content": ' + b'{"a":' * 20_000 + b"1" + b"}" * 20_000 + b"}]}",
]


@pytest.mark.parametrize("body", HOSTILE, ids=["an empty block", "a deep list", "a deep block"])
@pytest.mark.parametrize("api", ["invoke", "converse"])
def test_a_hostile_body_is_left_out_and_ends_nothing(api, body) -> None:
    with pytest.raises(UnusableCall):
        read_prompt(api, body)


@pytest.mark.parametrize(
    "address", ["s3:///etc/passwd", "/etc/passwd", "s3://b/../../etc/passwd", "file:///etc/passwd"]
)
def test_a_log_names_no_file_outside_its_own_folder(tmp_path: Path, address: str) -> None:
    assert find_copy(tmp_path, address) is None
