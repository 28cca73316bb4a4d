"""The Messages API through the unmodified AsyncAnthropicBedrockMantle."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anthropic
import pytest

Start = Callable[..., Awaitable[str]]
Open = Callable[..., Awaitable[Any]]

MODEL = "anthropic.claude-opus-4-8"
ASKED: dict[str, Any] = {"model": MODEL, "max_tokens": 50, "messages": [{"role": "user", "content": "Say something."}]}


async def test_a_message_is_created(simulator: Start, mantle: Open) -> None:
    client = await mantle(await simulator(speed=1000))
    message = await client.messages.create(**ASKED)
    assert (message.type, message.role, message.model) == ("message", "assistant", "claude-opus-4-8")
    assert message._request_id
    assert message.usage.input_tokens == 4
    assert 0 < message.usage.output_tokens <= 50


async def test_a_stream_has_the_events_of_anthropics_api(simulator: Start, mantle: Open) -> None:
    client = await mantle(await simulator(speed=1000))
    stream = await client.messages.create(**ASKED, stream=True)
    kinds = [event.type async for event in stream]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(kinds[2:-3]) == {"content_block_delta"}
    assert stream.response.headers["content-type"].startswith("text/event-stream")
    assert stream.response.headers["request-id"]


async def test_a_stream_and_a_complete_message_are_the_same(simulator: Start, mantle: Open) -> None:
    client = await mantle(await simulator(speed=1000))
    whole = await client.messages.create(**ASKED)
    async with client.messages.stream(**ASKED) as stream:
        streamed = await stream.get_final_message()
    assert streamed.content[0].text == whole.content[0].text
    assert streamed.usage.output_tokens == whole.usage.output_tokens


@pytest.mark.parametrize(
    ("options", "change", "error", "kind"),
    [
        ({"throttle_rate": 1.0}, {}, anthropic.RateLimitError, "rate_limit_error"),
        ({"unavailable_rate": 1.0}, {}, anthropic.ServiceUnavailableError, "overloaded_error"),
        ({"denied": frozenset({MODEL})}, {}, anthropic.PermissionDeniedError, "permission_error"),
        ({}, {"model": "anthropic.claude-sonata-9"}, anthropic.NotFoundError, "not_found_error"),
        ({}, {"messages": []}, anthropic.BadRequestError, "invalid_request_error"),
        ({}, {"extra_body": {"temperature": 0}}, anthropic.BadRequestError, "invalid_request_error"),
    ],
)
async def test_errors_have_the_format_of_anthropics_api(
    simulator: Start,
    mantle: Open,
    options: dict[str, Any],
    change: dict[str, Any],
    error: type[anthropic.APIStatusError],
    kind: str,
) -> None:
    client = await mantle(await simulator(**options))
    with pytest.raises(error) as refused:
        await client.messages.create(**(ASKED | change))
    body: Any = refused.value.body
    assert (body["type"], body["error"]["type"]) == ("error", kind)
    assert refused.value.request_id == body["request_id"]


async def test_an_interrupted_stream_ends_in_an_error_event(simulator: Start, mantle: Open) -> None:
    client = await mantle(await simulator(speed=1000, interrupt_rate=1.0))
    stream = await client.messages.create(**ASKED, stream=True)
    kinds: list[str] = []

    async def read() -> None:
        async for event in stream:
            kinds.append(event.type)  # noqa: PERF401 what came before the error is looked at

    with pytest.raises(anthropic.APIStatusError, match="interrupted") as broken:
        await read()
    assert set(kinds) == {"message_start", "content_block_start", "content_block_delta"}
    body: Any = broken.value.body
    assert body["error"]["type"] == "overloaded_error"


async def test_tokens_are_counted(simulator: Start, mantle: Open) -> None:
    client = await mantle(await simulator())
    counted = await client.messages.count_tokens(model=MODEL, messages=ASKED["messages"], system="x" * 40)
    assert counted.input_tokens == 14
