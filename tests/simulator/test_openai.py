"""Chat completions through the unmodified OpenAI SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import openai
import pytest

Start = Callable[..., Awaitable[str]]
Open = Callable[..., Awaitable[openai.AsyncOpenAI]]

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
TURN = {"role": "user", "content": "Say something."}
ASKED: dict[str, Any] = {"model": MODEL, "max_tokens": 50, "messages": [{"role": "system", "content": "Hm."}, TURN]}
WEATHER: dict[str, Any] = {
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
TOOLS: dict[str, Any] = {"tools": [{"type": "function", "function": WEATHER}]}


@pytest.fixture
async def client() -> AsyncIterator[Open]:
    """`sdk = await client(base_url)`."""
    async with AsyncExitStack() as stack:

        async def start(base_url: str) -> openai.AsyncOpenAI:
            sdk = openai.AsyncOpenAI(base_url=base_url, api_key="made-up", max_retries=0)
            return await stack.enter_async_context(sdk)

        yield start


@pytest.mark.parametrize("prefix", ["/v1", "/openai/v1"])
async def test_a_completion_is_created_at_both_paths(simulator: Start, client: Open, prefix: str) -> None:
    sdk = await client(await simulator(speed=1000) + prefix)
    completion = await sdk.chat.completions.create(**ASKED)
    [choice] = completion.choices
    assert (choice.message.role, choice.finish_reason) in [("assistant", "stop"), ("assistant", "length")]
    assert choice.message.content
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == 5
    assert 0 < completion.usage.completion_tokens <= 50


async def test_a_stream_equals_the_complete_answer_and_has_its_usage_on_request(simulator: Start, client: Open) -> None:
    sdk = await client(await simulator(speed=1000) + "/v1")
    whole = await sdk.chat.completions.create(**ASKED)
    stream = await sdk.chat.completions.create(**ASKED, stream=True, stream_options={"include_usage": True})
    events = [event async for event in stream]
    text = "".join(event.choices[0].delta.content or "" for event in events[:-1])
    assert text == whole.choices[0].message.content
    assert (events[-1].choices, events[-1].usage) == ([], whole.usage)
    assert events[-2].choices[0].finish_reason == whole.choices[0].finish_reason
    plain = [event async for event in await sdk.chat.completions.create(**ASKED, stream=True)]
    assert [event.usage for event in plain if event.usage is not None] == []


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "get_weather"}}])
async def test_a_tool_call_is_returned_complete_and_streamed(simulator: Start, client: Open, choice: Any) -> None:
    sdk = await client(await simulator(speed=1000) + "/v1")
    request = ASKED | TOOLS | {"tool_choice": choice}
    whole = await sdk.chat.completions.create(**request)
    assert whole.choices[0].finish_reason == "tool_calls"
    [call] = whole.choices[0].message.tool_calls or []
    assert (call.type, call.function.name, call.function.arguments) == (
        "function",
        "get_weather",
        '{"city":"something"}',
    )
    deltas = [event.choices[0].delta async for event in await sdk.chat.completions.create(**request, stream=True)]
    calls = [each.function for delta in deltas for each in delta.tool_calls or []]
    assert calls[0] is not None
    assert calls[0].name == "get_weather"
    assert "".join(each.arguments or "" for each in calls if each) == '{"city":"something"}'


async def test_images_files_and_earlier_turns_are_part_of_the_input(simulator: Start, client: Open) -> None:
    sdk = await client(await simulator(speed=1000) + "/v1")
    parts = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8="}},
        {"type": "text", "text": "What is it?"},
    ]
    turns = [TURN, {"role": "assistant", "content": "Something."}, {"role": "user", "content": parts}]
    request: dict[str, Any] = {"model": MODEL, "messages": turns}
    completion = await sdk.chat.completions.create(**request)
    assert completion.usage is not None
    assert completion.usage.prompt_tokens > 1000


@pytest.mark.parametrize(
    ("options", "change", "error", "kind"),
    [
        ({"throttle_rate": 1.0}, {}, openai.RateLimitError, "rate_limit_error"),
        ({"unavailable_rate": 1.0}, {}, openai.InternalServerError, "overloaded_error"),
        ({}, {"messages": []}, openai.BadRequestError, "invalid_request_error"),
        ({}, {"max_tokens": 0}, openai.BadRequestError, "invalid_request_error"),
        ({}, {"model": "anthropic.claude-nothing-v1:0"}, openai.NotFoundError, "not_found_error"),
        (
            {},
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x/"}}]}]},
            openai.BadRequestError,
            "invalid_request_error",
        ),
    ],
)
async def test_errors_have_the_types_of_the_api(
    simulator: Start, client: Open, options: Any, change: Any, error: type[openai.APIStatusError], kind: str
) -> None:
    sdk = await client(await simulator(speed=1000, **options) + "/v1")
    with pytest.raises(error) as raised:
        await sdk.chat.completions.create(**(ASKED | change))
    assert raised.value.type == kind


async def test_an_interrupted_stream_ends_in_an_error(simulator: Start, client: Open) -> None:
    sdk = await client(await simulator(speed=1000, interrupt_rate=1.0) + "/v1")
    stream = await sdk.chat.completions.create(**ASKED, stream=True)
    with pytest.raises(openai.APIError, match="interrupted"):
        [event async for event in stream]
