"""What a server asks for before another attempt reaches whoever waits, through every client."""

from __future__ import annotations

from typing import Any

import pytest

from harness.catalog.target import resolve_target
from harness.endpoints import APIS
from harness.endpoints.request import build_request
from harness.load.sender import retry_after_s
from harness.suite.suite import Message, Prompt

PROMPT = Prompt(id="p", messages=(Message(role="user", content="Hi"),))
BUSY = (
    b"HTTP/1.1 429 X\r\nContent-Type: application/json\r\nContent-Length: 19\r\nRetry-After: 7\r\n"
    b'Retry-After-Ms: 250\r\nConnection: close\r\n\r\n{"message": "wait"}'
)


@pytest.mark.parametrize("name", sorted(APIS))
async def test_every_client_puts_it_on_the_tape(serve: Any, exchange: Any, name: str) -> None:
    target = resolve_target(model="claude-haiku-4-5", api=sorted(APIS[name])[0], client=name)
    served = await serve(BUSY, "close")
    reply, tape = await exchange(name, served.url, build_request(target, PROMPT))
    assert ("throttled", 0.25) == (reply.error_kind, retry_after_s(tape.headers))
    assert 1 == len(served.requests)
