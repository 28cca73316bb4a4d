"""What the client `wire` does without an SDK: connections, HTTP, TLS, back-pressure."""

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.endpoints import base
from harness.endpoints.base import Connection, ProtocolError, Tape, WireRequest
from harness.endpoints.dialects.eventstream import encode_event
from harness.endpoints.read_tape import read_tape
from harness.endpoints.wire.client import WireClient
from harness.endpoints.wire.connect import ConnectionLost
from harness.endpoints.wire.pool import Origin, Pool
from harness.endpoints.wire.protocol import MAX_FIELDS, MAX_HEAD, SLICE, WireConnection

REQUEST = WireRequest(api="converse", model_id="m", stream=True, body={"messages": []})
WHOLE = WireRequest(api="converse", model_id="m", stream=False, body={"messages": []})
FRAMES = [
    encode_event("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"Par"}}'),
    encode_event("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"is"}}'),
    encode_event("messageStop", b'{"stopReason":"end_turn"}'),
    encode_event("metadata", b'{"usage":{"inputTokens":14,"outputTokens":2}}'),
]
HEAD = b"HTTP/1.1 200 OK\r\nx-amzn-RequestId: r-1\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
STREAM = CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(frame), frame) for frame in FRAMES) + END
BODY = b"".join(FRAMES)
REFUSAL = b"HTTP/1.1 403 X\r\nContent-Length: 2\r\n\r\n{}"


def open_client(url, **more):
    return WireClient(Connection(url=url, region="us-east-1", made_up_credentials=True, **more))


async def send_and_read(client, request=REQUEST, tape=None):
    """Send a request and read the tape, as the runner does."""
    tape, error = tape or Tape(), None
    try:
        await client.send(request, tape)
    except Exception as raised:
        error = raised
    return read_tape(request, tape, error=error)


@pytest.mark.parametrize(
    "answer",
    [
        STREAM,
        HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
        b"HTTP/1.1 100 Continue\r\n\r\n" + STREAM,
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + STREAM,
    ],
    ids=["chunked", "fixed", "100", "103 and 100"],
)
async def test_a_connection_is_reused_after_an_answer_of_known_length(serve, answer):
    served = await serve(answer)
    async with open_client(served.url) as client:
        replies = [await send_and_read(client) for _ in range(3)]
    assert [(reply.ok, reply.text, reply.aws_request_id) for reply in replies] == [(True, "Paris", "r-1")] * 3
    assert (len(served.requests), served.connections) == (3, 1)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (HEAD + b"\r\n" + BODY, "Paris"),
        (HEAD + b"Connection: close\r\n" + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY, "Paris"),
        (b"HTTP/1.0 200 OK\r\n\r\n" + BODY, "Paris"),
    ],
    ids=["until the end", "close", "1.0"],
)
async def test_an_answer_that_ends_with_the_connection_is_complete(serve, answer, text):
    served = await serve(answer, "close")
    async with open_client(served.url) as client:
        replies = [await send_and_read(client) for _ in range(2)]
    assert [(reply.ok, reply.text) for reply in replies] == [(True, text)] * 2
    assert served.connections == 2


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_an_answer_without_a_body_ends_with_its_head(serve, status):
    served = await serve(b"HTTP/1.1 %b\r\n\r\n" % status)
    async with open_client(served.url) as client:
        kinds = [(await send_and_read(client)).error_kind for _ in range(2)]
    assert kinds == (["stream_truncated"] * 2 if status.startswith(b"204") else ["protocol"] * 2)
    assert served.connections == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"SSH-2.0-OpenSSH_9.9\r\n", "protocol"),
        (b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * (MAX_HEAD + 1), "protocol"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * (MAX_HEAD // 20), "protocol"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * (MAX_FIELDS // 6 + 2), "protocol"),
        (CHUNKED + b"0\r\n" + b"a: b\r\n" * (MAX_FIELDS // 6 + 2), "stream_truncated"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "protocol"),
        (CHUNKED + b"zz\r\n", "stream_truncated"),
        (CHUNKED + b"5\r\nab", "stream_truncated"),
        (HEAD + b"Content-Length: 99\r\n\r\n" + FRAMES[0], "stream_truncated"),
    ],
    ids=[
        "no HTTP",
        "upgrade",
        "endless head",
        "always 100",
        "many fields",
        "many trailers",
        "no length",
        "no chunk",
        "cut chunk",
        "cut body",
    ],
)
async def test_a_malformed_answer_is_reported_and_its_connection_is_not_reused(serve, answer, kind):
    served = await serve(answer, "close" if b"ab" in answer or b"99" in answer else "hold")
    async with open_client(served.url) as client:
        kinds = [(await send_and_read(client)).error_kind for _ in range(2)]
    assert (kinds, served.connections) == ([kind, kind], 2)


async def test_an_endless_answer_is_cut_off_before_it_fills_the_memory(serve, monkeypatch):
    monkeypatch.setattr(base, "MAX_ANSWER", 2**20)  # the real limit would fill 256 MiB
    served = await serve(HEAD + b"Content-Length: %d\r\n\r\n" % 2**40, b"x" * 2**22, "hold")
    async with open_client(served.url) as client:
        tape = Tape()
        reply = await send_and_read(client, WHOLE, tape)
    assert (reply.error_kind, reply.error_message) == ("connection", "AnswerTooLong: the answer is longer than 1 MiB")
    assert sum(map(len, tape.pieces)) <= 2**20


async def test_surplus_bytes_after_an_answer_spoil_the_connection_but_not_the_answer(serve):
    served = await serve(STREAM + STREAM)
    async with open_client(served.url) as client:
        replies = [await send_and_read(client) for _ in range(2)]
    assert [(reply.ok, reply.text) for reply in replies] == [(True, "Paris")] * 2
    assert served.connections == 2


async def test_a_connection_with_a_half_read_answer_is_not_reused(serve):
    served = await serve(CHUNKED, "hold")
    async with open_client(served.url) as client:
        for number in range(1, 3):
            sending = asyncio.create_task(client.send(REQUEST, Tape()))
            await served.asked.wait()
            served.asked.clear()
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            await served.hung_up.wait()
            served.hung_up.clear()
            assert served.connections == number


async def test_an_idle_connection_that_the_server_closed_is_skipped(serve):
    served = await serve(STREAM, "close")
    async with open_client(served.url) as client:
        replies = [await send_and_read(client) for _ in range(4)]
    assert [reply.ok for reply in replies] == [True] * 4
    assert (len(served.requests), served.connections) == (4, 4)


async def test_a_request_is_not_sent_again_when_its_connection_breaks(serve):
    """The server may have processed it already: only the caller can decide to retry."""
    served = await serve(STREAM, asyncio.Event())
    async with open_client(served.url) as client:
        assert (await send_and_read(client)).ok
        on_wire = asyncio.Event()
        sending = asyncio.create_task(send_and_read(client, tape=Tape(on_wire.set)))
        await on_wire.wait()
        [connection] = next(iter(client._pools.values()))._open
        connection._transport.abort()
        reply = await sending
    assert (reply.error_kind, len(served.requests), served.connections) == ("connection", 1, 1)


async def test_an_idle_connection_is_closed_before_the_server_closes_it(serve):
    served = await serve(STREAM)
    origin = Origin(host="127.0.0.1", port=int(served.url.rpartition(":")[2]))
    pool = Pool(origin, size=1, connect_timeout_s=5.0, keep_alive_s=0.0)
    for _ in range(3):
        connection = await pool.acquire()
        await connection.exchange(b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", b"", Tape())
        assert connection.reusable
        pool.release(connection)
        await asyncio.sleep(0.001)
    pool.close()
    assert (len(served.requests), served.connections) == (3, 3)


async def test_no_more_connections_are_open_than_the_size_of_the_pool(serve):
    go = asyncio.Event()
    served = await serve(go, STREAM)
    async with open_client(served.url, pool_size=2) as client:
        sending = [asyncio.create_task(send_and_read(client)) for _ in range(6)]
        while len(served.requests) < 2:
            served.asked.clear()
            await served.asked.wait()
        sending[5].cancel()
        go.set()
        replies = await asyncio.gather(*sending[:5])
    assert [reply.ok for reply in replies] == [True] * 5
    assert (len(served.requests), served.connections) == (5, 2)


async def test_a_waiting_caller_gets_its_turn_when_an_earlier_one_is_cancelled(serve):
    go = asyncio.Event()
    served = await serve(go, STREAM)
    async with open_client(served.url, pool_size=1) as client:
        first, second, third = (asyncio.create_task(send_and_read(client)) for _ in range(3))
        await served.asked.wait()
        second.cancel()
        go.set()
        assert ((await first).ok, (await third).ok, second.cancelled()) == (True, True, True)


async def test_a_slot_handed_to_a_caller_that_was_just_cancelled_goes_to_the_next():
    pool = Pool(Origin(host="127.0.0.1", port=9), size=1, connect_timeout_s=1.0)
    pool._used_slots = 1
    waiting = [asyncio.create_task(pool._wait()) for _ in range(2)]
    await asyncio.sleep(0)
    pool._free_slot()
    assert pool._used_slots == 1  # the slot is already handed over: newcomers queue behind the two
    waiting[0].cancel()
    await waiting[1]
    assert (waiting[0].cancelled(), pool._used_slots) == (True, 1)
    pool._free_slot()
    assert pool._used_slots == 0


def large_request(size):
    return WireRequest(api="converse", model_id="m", stream=True, body={"messages": [{"text": "x" * size}]})


@asynccontextmanager
async def serving(answer, **settings):
    """The port of a server that is stopped on exit, with all its tasks."""
    tasks = set()

    async def handle(reader, writer):
        tasks.add(asyncio.current_task())
        try:
            await answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, limit=64 * 1024, **settings)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


async def read_body(head, reader):
    lines = head.lower().split(b"\r\n")
    length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length"))
    return await reader.readexactly(length)


async def test_a_large_body_is_written_with_back_pressure_and_stamped_when_it_is_sent():
    asked, read_on, received = asyncio.Event(), asyncio.Event(), []

    async def answer(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await read_on.wait()
        received.append(len(await read_body(head, reader)))
        writer.write(STREAM)
        await reader.read()

    async with serving(answer) as port, open_client(f"http://127.0.0.1:{port}") as client:
        tape = Tape()
        sending = asyncio.create_task(send_and_read(client, large_request(100 * SLICE), tape))
        await asked.wait()
        [connection] = next(iter(client._pools.values()))._open
        assert connection._transport.get_write_buffer_size() <= SLICE
        assert tape.sent_ns is None
        read_on.set()
        assert (await sending).ok
        assert connection.reusable
    assert received[0] > 100 * SLICE
    assert tape.sent_ns <= tape.headers_ns


async def test_an_answer_may_come_before_the_request_is_sent_completely():
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(REFUSAL)
        await asyncio.Event().wait()

    async with serving(answer) as port, open_client(f"http://127.0.0.1:{port}") as client:
        tape = Tape()
        reply = await send_and_read(client, large_request(100 * SLICE), tape)
        assert next(iter(client._pools.values()))._idle == deque()
    assert (reply.error_kind, reply.http_status, tape.sent_ns) == ("access_denied", 403, None)


async def test_every_connection_is_closed_with_the_client(serve):
    served = await serve(STREAM)
    async with open_client(served.url) as client:
        assert (await send_and_read(client)).ok
        [connection] = next(iter(client._pools.values()))._open
    await asyncio.sleep(0)
    assert connection.lost


class _FedConnection(WireConnection):
    """A connection without a network: writes are dropped, and the test feeds it what arrives."""

    def __init__(self):
        super().__init__(lambda _: None)
        self.connection_made(_Sink())


class _Sink(asyncio.Transport):
    def set_write_buffer_limits(self, high=None, low=None): ...

    def write(self, data): ...

    def abort(self): ...


@settings(max_examples=60)
@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=40))
def test_the_reply_is_the_same_however_the_network_splits_the_answer(cuts):
    async def fed():
        connection, tape = _FedConnection(), Tape()
        sending = asyncio.create_task(connection.exchange(b"", b"", tape))
        await asyncio.sleep(0)
        edges = sorted({0, *cuts, len(STREAM)})
        for start, end in pairwise(edges):
            connection.data_received(STREAM[start:end])
        await sending
        assert connection.reusable
        return tape

    tape = asyncio.run(fed())
    reply = read_tape(REQUEST, tape)
    assert (reply.ok, reply.text, len(reply.chunk_ns), reply.output_tokens) == (True, "Paris", 2, 2)
    assert b"".join(tape.pieces) == BODY
    assert tape.stamps == sorted(tape.stamps)
    assert tape.headers_ns <= tape.stamps[0]
    assert tape.done_ns >= tape.stamps[-1]


@settings(max_examples=150)
@given(at=st.integers(0, len(STREAM)), junk=st.binary(max_size=60), dropped=st.integers(0, 60))
def test_whatever_a_server_sends_is_an_answer_or_a_classified_failure(at, junk, dropped):
    async def fed():
        connection, tape = _FedConnection(), Tape()
        sending = asyncio.create_task(connection.exchange(b"", b"", tape))
        await asyncio.sleep(0)
        connection.data_received(STREAM[:at])
        connection.data_received(junk + STREAM[at + dropped :])
        connection.connection_lost(None)
        try:
            await sending
        except (ProtocolError, ConnectionLost) as error:
            return tape, error
        return tape, None

    tape, error = asyncio.run(fed())
    kind = read_tape(REQUEST, tape, error=error).error_kind
    assert kind in (None, "protocol", "connection", "stream_truncated", "validation", "server_error", "stream_error")


async def test_a_connection_that_is_lost_before_anything_is_sent_is_a_connection_error():
    connection = _FedConnection()
    connection.connection_lost(None)
    with pytest.raises(ConnectionLost, match="before anything was sent"):
        await connection.exchange(b"", b"", Tape())


async def test_one_read_is_one_piece_on_the_tape_however_many_chunks_it_contains():
    connection, tape = _FedConnection(), Tape()
    sending = asyncio.create_task(connection.exchange(b"", b"", tape))
    await asyncio.sleep(0)
    connection.data_received(STREAM)
    await sending
    assert (tape.pieces, tape.stamps) == ([BODY], [tape.headers_ns])
    assert tape.done_ns == tape.headers_ns


async def test_an_error_in_a_stream_ends_the_exchange_even_if_the_server_does_not(serve):
    error = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"later"}}\n\n'
    text = b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"an \\"error\\" "}}\n\n'
    chunks = [b"%x\r\n%b\r\n" % (len(data), data) for data in (text, text, error)]
    served = await serve(CHUNKED, *chunks, "hold")
    async with open_client(served.url) as client:
        request = WireRequest(api="messages", model_id="m", stream=True, body={})
        reply = await send_and_read(client, request)
    assert (reply.error_kind, reply.error_message, reply.text) == ("unavailable", "later", 'an "error" an "error" ')


def test_a_repeated_request_is_encoded_once_and_old_ones_are_evicted():
    connection = Connection(url="http://127.0.0.1:9", region="us-east-1", made_up_credentials=True)
    size = len(WireClient(connection)._prepare(REQUEST).body)
    client = WireClient(connection, cache_bytes=2 * size)
    assert client._prepare(REQUEST) is client._prepare(REQUEST)
    for _ in range(5):
        client._prepare(WireRequest(api="converse", model_id="m", stream=True, body=REQUEST.body))
    assert len(client._prepared) == 2
    assert client._cached_bytes == 2 * size
