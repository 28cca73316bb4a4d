"""Fixtures that every room's tests may use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from harness.simulator.server import SimulatorOptions, running_simulator


@pytest.fixture(autouse=True)
def _no_bearer_token(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """AWS_BEARER_TOKEN_BEDROCK beats keys given in code, so a real one would reach the simulator."""
    if request.node.get_closest_marker("live") is None:
        monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)


@pytest.fixture
async def simulator() -> AsyncIterator[Callable[..., Awaitable[str]]]:
    """`url = await simulator(**options)` starts a simulator on the test's own loop (see SimulatorOptions)."""
    async with AsyncExitStack() as stack:

        async def start(**options: Any) -> str:
            return await stack.enter_async_context(running_simulator(SimulatorOptions(**options)))

        yield start
