"""Loopback servers that answer with exactly the bytes they are told, and exchanges with them."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest
import uvloop

from harness.endpoints import make_client
from harness.endpoints.base import Connection, Tape, WireRequest
from harness.endpoints.read_tape import Reply, read_tape

ON_BOTH_LOOPS = {"wire/test_client.py", "wire/test_connect.py"}


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """What handles sockets itself is tested on uvloop, too: a run has that, and it is another implementation."""
    usual = {"asyncio": asyncio.new_event_loop}
    place = f"{item.path.parent.name}/{item.path.name}"
    return usual | {"uvloop": uvloop.new_event_loop} if place in ON_BOTH_LOOPS else usual


HOLD, RESET, CLOSE = "hold", "reset", "close"
Step = bytes | asyncio.Event | str | Iterator[bytes]
"""Bytes are written, an event is waited for; `hold` says nothing until the client hangs up, `reset` sends a RST. An
iterator gives the next bytes each time it is played."""


@dataclass
class Served:
    """A running server and the requests that it has seen, each as head and body."""

    url: str = ""
    requests: list[tuple[bytes, bytes]] = field(default_factory=list)
    connections: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a request is here."""
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a client has hung up on a `hold`."""


async def _read_request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head, await reader.readexactly(int(lengths[0]) if lengths else 0)


async def _play(step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, served: Served) -> None:
    if isinstance(step, Iterator):
        step = next(step)
    if isinstance(step, bytes):
        writer.write(step)
        await writer.drain()
    elif isinstance(step, asyncio.Event):
        await step.wait()
    elif step == HOLD:
        await reader.read()
        served.hung_up.set()
    else:
        if step == RESET:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionError


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[Served]]]:
    """`served = await serve(*steps)`: a server that plays the steps to every request."""
    async with AsyncExitStack() as stack:

        async def start(*steps: Step) -> Served:
            served = Served()

            async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                served.connections += 1
                try:
                    while True:
                        served.requests.append(await _read_request(reader))
                        served.asked.set()
                        for step in steps:
                            await _play(step, reader, writer, served)
                except (asyncio.IncompleteReadError, ConnectionError):
                    pass
                finally:
                    writer.close()

            server = await asyncio.start_server(answer, "127.0.0.1", 0)
            stack.callback(server.close)
            served.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            return served

        yield start


Exchange = Callable[..., Awaitable[tuple[Reply, Tape]]]


@pytest.fixture
def exchange() -> Exchange:
    """`reply, tape = await exchange(client_name, url, request)`: one exchange as the runner makes it."""

    async def run(name: str, url: str, request: WireRequest, **connection: object) -> tuple[Reply, Tape]:
        settings = {"region": "us-east-1", "made_up_credentials": True, **connection}
        async with make_client(name, Connection(url=url, **settings)) as client:  # type: ignore[arg-type]
            tape, error = Tape(), None
            try:
                await client.send(request, tape)
            except Exception as raised:
                error = raised
            return read_tape(request, tape, error=error), tape

    return run
