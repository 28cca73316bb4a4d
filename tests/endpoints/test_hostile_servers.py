"""What a server must never bring a client to: hang, ask another host, unpack a bomb, take an answer for another's."""

import asyncio

import pytest

from harness.endpoints import make_client
from harness.endpoints.base import Connection, Tape, WireRequest
from harness.endpoints.reply import read_tape
from tests.endpoints.test_clients import BODIES, END, FRAMES, HEADS, MODEL, SPOKEN, _http_chunk

each_client = pytest.mark.parametrize(("name", "api"), SPOKEN)
each_mode = pytest.mark.parametrize("stream", [True, False])
SOON_S = 5.0
"""Long before any deadline of a client's own."""


def request_to(api, stream=True):
    return WireRequest(api=api, model_id=MODEL, stream=stream, body=BODIES[api])


def connect_to(url):
    return Connection(url=url, region="us-east-1", made_up_credentials=True)


async def sent(client, request, tape=None):
    """The reply, read as the runner reads it."""
    tape, error = tape or Tape(), None
    try:
        async with asyncio.timeout(SOON_S):
            await client.send(request, tape)
    except Exception as raised:
        error = raised
    return read_tape(request, tape, error=error)


def answer(body=b"", status=b"200 OK", fields=b""):
    return b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, fields, len(body), body)


def whole_stream(api):
    return HEADS[api] + b"".join(map(_http_chunk, FRAMES[api])) + END


UNENDED = "stream_truncated"
BODILESS = [
    (b"HTTP/1.1 204 No Content\r\n\r\n", UNENDED),
    (b"HTTP/1.1 304 Not Modified\r\n\r\n", "protocol"),
    (b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", "protocol"),
    (answer(), UNENDED),
    (answer(status=b"500 X"), "server_error"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + END, UNENDED),
]


@each_client
@each_mode
async def test_an_answer_without_a_body_ends_the_exchange_every_time_that_it_comes(serve, name, api, stream):
    served = await serve(each for said, _ in BODILESS for each in (said, said))
    request = request_to(api, stream)
    async with make_client(name, connect_to(served.url)) as client:
        kinds = [(await sent(client, request)).error_kind for _ in range(2 * len(BODILESS))]
    unended = UNENDED if stream else "protocol"
    assert kinds == [unended if kind == UNENDED else kind for _, kind in BODILESS for _ in range(2)]
    assert len(served.requests) == 2 * len(BODILESS)


@each_client
async def test_a_body_that_never_comes_can_be_given_up_on(serve, name, api):
    served = await serve(HEADS[api], "hold")
    tape = Tape()
    async with make_client(name, connect_to(served.url)) as client:
        sending = asyncio.create_task(client.send(request_to(api), tape))
        await served.asked.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await served.hung_up.wait()
