"""Row 4, held: the ten documented models × their prefixes × both apis × both clients, offered or refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from harness.catalog.models import find_model
from harness.catalog.target import resolve_target
from harness.endpoints import make_client, supports
from harness.endpoints.address import make_connection
from harness.endpoints.base import Tape
from harness.endpoints.read_tape import read_tape
from harness.endpoints.request import build_request
from harness.errors import CatalogError
from harness.suite.suite import Message, Prompt

DOCUMENTED = {
    "claude-sonnet-4-5": ("global", "us", "eu", "jp"),
    "claude-sonnet-4": ("global", "us", "eu", "apac"),
    "claude-3-7-sonnet": ("us", "eu", "apac"),
    "claude-opus-4-5": ("global", "us", "eu"),
    "claude-opus-4-1": ("us",),
    "claude-opus-4": ("us",),
    "claude-3-opus": ("us",),
    "claude-haiku-4-5": ("global", "us", "eu"),
    "claude-3-5-haiku": ("us",),
    "claude-3-haiku": ("us", "eu", "apac"),
}
PREFIXES = ("global", "us", "eu", "jp", "apac", "au", "us-gov")
SPEAKS = [("invoke", "aioboto3"), ("converse", "aioboto3"), ("invoke", "anthropic")]
PROMPT = Prompt(id="p", messages=(Message(role="user", content="Capital of France?"),))
Simulator = Callable[..., Awaitable[str]]


@pytest.mark.parametrize("model", DOCUMENTED)
async def test_every_offered_combination_answers(simulator: Simulator, model: str) -> None:
    url = await simulator(speed=1000)
    offered = [prefix for prefix in PREFIXES if prefix in find_model(model).routings]
    assert set(DOCUMENTED[model]) <= set(offered)
    for api, client in SPEAKS:
        connection = make_connection(url, region="us-east-1", pool_size=4, connect_timeout_s=5.0)
        async with make_client(client, connection) as sender:
            for prefix in offered:
                target = resolve_target(model=model, routing=prefix, api=api, client=client)
                assert target.model_id.startswith(f"{prefix}.anthropic.")
                request, tape = build_request(target, PROMPT), Tape()
                await sender.send(request, tape)
                assert read_tape(request, tape).ok


@pytest.mark.parametrize("model", DOCUMENTED)
def test_every_other_prefix_is_refused_before_anything_is_sent(model: str) -> None:
    offered: Any = find_model(model).routings
    for prefix in PREFIXES:
        if prefix not in offered:
            with pytest.raises(CatalogError, match=f"'{prefix}' is not offered for {model} \\(offered: "):
                resolve_target(model=model, routing=prefix, api="invoke", client="aioboto3")


def test_the_one_combination_of_api_and_client_that_does_not_exist_is_known() -> None:
    asked = {(api, client) for api in ("invoke", "converse") for client in ("aioboto3", "anthropic")}
    assert asked - set(SPEAKS) == {(api, client) for api, client in asked if not supports(client, api)}
