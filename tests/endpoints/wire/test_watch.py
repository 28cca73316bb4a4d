"""How the client `wire` detects a failed stream, however the network splits it, and at what cost."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.endpoints.base import Tape, WireRequest
from harness.endpoints.dialects.eventstream import FrameDecoder, encode_exception, encode_frame
from harness.endpoints.dialects.sse import SseDecoder
from harness.endpoints.read_tape import read_tape
from harness.endpoints.wire.watch import StreamWatch
from tests.endpoints.sdk.test_clients import END, FRAMES, HEADS, _http_chunk
from tests.endpoints.wire.test_client import _FedConnection

OVERLOADED = b'{"type":"error","error":{"type":"overloaded_error","message":"later"}}'
FAILURES = {
    "exception": ("converse", encode_exception("serviceUnavailableException", b'{"message":"later"}')),
    "exception, its type first": (
        "invoke",
        encode_frame({":message-type": "exception", ":exception-type": "serviceUnavailableException"}, b"{}"),
    ),
    "exception without a type": ("converse", encode_frame({":message-type": "exception"}, b"{}")),
    "error": ("converse", encode_frame({":message-type": "error", ":error-code": "Odd"}, b"")),
    "error without a code": ("invoke", encode_frame({":message-type": "error"}, b"")),
    "messages": ("messages", b"event: error\r\ndata: %b\r\n\r\n" % OVERLOADED),
    "mantle": ("mantle", b"event: error\ndata: %b\n\n" % OVERLOADED),
    "openai": ("openai", b'data: {"error" : {"type":"server_error","message":"later"}}\n\n'),
}
each_failure = pytest.mark.parametrize(("api", "failure"), FAILURES.values(), ids=FAILURES.keys())


def request_to(api):
    return WireRequest(api=api, model_id="m", stream=True, body={})


async def is_over_after(api, reads):
    """Whether an exchange ends by itself after these reads, and its tape."""
    connection, tape = _FedConnection(), Tape()
    sending = asyncio.create_task(connection.exchange(b"", b"", tape, StreamWatch(request_to(api))))
    await asyncio.sleep(0)
    for data in reads:
        if connection._over is None or connection._over.done():
            break
        connection.data_received(data)
    over = connection._over is not None and connection._over.done()
    if not over:
        connection.connection_lost(None)
    await asyncio.gather(sending, return_exceptions=True)
    return over, tape, connection


def cut(stream, edges):
    return [stream[start:end] for start, end in pairwise([0, *sorted(edges), len(stream)]) if start < end]


@each_failure
async def test_an_error_ends_a_stream_wherever_it_is_split_in_two(api, failure):
    first = b"".join(map(_http_chunk, FRAMES[api][:3]))
    for at in range(len(failure) + 1):
        halves = [_http_chunk(half) for half in (failure[:at], failure[at:]) if half]
        over, tape, connection = await is_over_after(api, [HEADS[api], first, *halves])
        assert over, at
        assert not connection.reusable
        assert read_tape(request_to(api), tape).error_kind in ("unavailable", "stream_error", "server_error")


@each_failure
@settings(max_examples=40)
@given(data=st.data())
def test_an_error_ends_a_stream_however_often_it_is_split(api, failure, data):
    """HTTP framing is split, too: some reads contain no body bytes."""
    frames = [*FRAMES[api][:3], failure]
    pieces = [part for frame in frames for part in cut(frame, data.draw(st.sets(st.integers(0, len(frame)))))]
    stream = HEADS[api] + b"".join(map(_http_chunk, pieces))
    edges = data.draw(st.sets(st.integers(len(HEADS[api]), len(stream)), max_size=60))
    over, tape, _ = asyncio.run(is_over_after(api, cut(stream, edges)))
    assert over
    assert read_tape(request_to(api), tape).error_kind is not None


@each_failure
async def test_an_error_is_detected_byte_by_byte(api, failure):
    stream = b"".join([*FRAMES[api][:3], failure])
    reads = [_http_chunk(stream[at : at + 1]) for at in range(len(stream))]
    assert (await is_over_after(api, [HEADS[api], *reads]))[0]


HARMLESS = {
    "messages": b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"error"}}\n\n',
    "openai": b'data: {"choices":[{"index":0,"delta":{"content":"error"}}],"error":null}\n\n',
    "converse": encode_frame(
        {
            ":event-type": "contentBlockDelta",
            ":quoted": "\r:message-type\x07\x00\x05error",
            ":message-type": "event",
        },
        b'{"contentBlockIndex":0,"delta":{"text":"error"}}',
    ),
}


@pytest.mark.parametrize("api", HARMLESS)
@settings(max_examples=40)
@given(edges=st.sets(st.integers(0, 2000), max_size=40))
def test_text_that_looks_like_an_error_does_not_end_the_stream(api, edges):
    body = HARMLESS[api] + b"".join(FRAMES[api])
    reads = map(_http_chunk, cut(body, {edge % len(body) for edge in edges}))
    over, tape, connection = asyncio.run(is_over_after(api, [HEADS[api], *reads, END]))
    assert (over, connection.reusable) == (True, True)
    reply = read_tape(request_to(api), tape)
    assert (reply.ok, reply.text) == (True, "errorParis")


class _CountingDecoder:
    """A decoder that counts the bytes it is fed."""

    def __init__(self, decoder):
        self._decoder, self.fed = decoder, 0

    @property
    def pending(self):
        return self._decoder.pending

    def feed(self, data):
        self.fed += len(data)
        return self._decoder.feed(data)


@pytest.mark.parametrize("api", HARMLESS)
def test_each_byte_is_parsed_once_if_a_model_writes_text_that_looks_like_an_error(api):
    counting = _CountingDecoder(FrameDecoder() if api == "converse" else SseDecoder())
    tape = Tape()
    tape.mark_head(200, {})
    watch = StreamWatch(request_to(api))
    watch._reading._decoder = counting
    for _ in range(500):
        for half in cut(HARMLESS[api], {len(HARMLESS[api]) - 7}):
            tape.add(half)
            assert not watch(tape)
    assert counting.fed == tape.size


def test_an_error_body_without_a_stream_is_read_to_its_end():
    tape = Tape()
    tape.mark_head(429, {})
    watch = StreamWatch(request_to("messages"))
    tape.add(OVERLOADED)
    assert not watch(tape)
