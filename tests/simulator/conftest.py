"""Unmodified SDK clients for the simulator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aioboto3
import anthropic
import pytest
from aiobotocore.config import AioConfig

KEYS = {"aws_access_key_id": "MADEUP", "aws_secret_access_key": "up", "region_name": "us-east-1"}
SESSION = aioboto3.Session()
"""Shared, because loading the service descriptions is slow."""
Open = Callable[..., Awaitable[Any]]


@pytest.fixture
async def boto() -> AsyncIterator[Open]:
    """`client = await boto(service, url, **keys)`."""
    async with AsyncExitStack() as stack:

        async def start(service: str, url: str, **keys: str) -> Any:
            config = AioConfig(retries={"total_max_attempts": 1, "mode": "standard"})
            client = SESSION.client(service, endpoint_url=url, config=config, **(KEYS | keys))
            return await stack.enter_async_context(client)

        yield start


@pytest.fixture
async def mantle() -> AsyncIterator[Open]:
    """`client = await mantle(url, **more)`: the SDK's own client of the Messages API."""
    async with AsyncExitStack() as stack:

        async def start(url: str, *, secret: str = "up") -> anthropic.AsyncAnthropicBedrockMantle:
            client = anthropic.AsyncAnthropicBedrockMantle(
                aws_access_key="MADEUP",
                aws_secret_key=secret,
                aws_region="us-east-1",
                base_url=f"{url}/anthropic",
                max_retries=0,
            )
            return await stack.enter_async_context(client)

        yield start
