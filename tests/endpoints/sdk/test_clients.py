import asyncio
import socket
from base64 import b64encode

import msgspec
import pytest

from harness.endpoints import CLIENTS, make_client
from harness.endpoints.base import Connection, Tape, WireRequest
from harness.endpoints.dialects.eventstream import encode_event, encode_exception, encode_frame
from harness.endpoints.read_tape import read_tape

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
BODIES = {
    "invoke": {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Capital of France?"}],
        "temperature": 0.0,
        "top_k": 5,
        "system": "Answer briefly.",
        "stop_sequences": ["END"],
    },
    "converse": {
        "messages": [{"role": "user", "content": [{"text": "Capital of France?"}]}],
        "inferenceConfig": {"maxTokens": 9},
    },
}
BODIES["mantle"] = {name: value for name, value in BODIES["invoke"].items() if name != "anthropic_version"}
BODIES["messages"] = BODIES["mantle"]
BODIES["openai"] = {"max_tokens": 9, "messages": BODIES["invoke"]["messages"]}
ON_RUNTIME = [
    ("wire", "invoke"),
    ("wire", "converse"),
    ("aioboto3", "invoke"),
    ("aioboto3", "converse"),
    ("anthropic", "invoke"),
]
ON_MANTLE = ["wire", "anthropic"]
SPOKEN = [*ON_RUNTIME, *((name, "mantle") for name in ON_MANTLE), ("wire", "messages"), ("wire", "openai")]
each_client = pytest.mark.parametrize(("name", "api"), SPOKEN)
each_client_on_runtime = pytest.mark.parametrize(("name", "api"), ON_RUNTIME)
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n"
    b"x-amzn-RequestId: r-1\r\nTransfer-Encoding: chunked\r\n\r\n"
)
SSE_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    b"request-id: r-1\r\nTransfer-Encoding: chunked\r\n\r\n"
)
HEADS = {
    "invoke": STREAM_HEAD,
    "converse": STREAM_HEAD,
    "messages": SSE_HEAD,
    "mantle": SSE_HEAD,
    "openai": SSE_HEAD,
}
END = b"0\r\n\r\n"


def _request(api, *, stream=True):
    return WireRequest(api=api, model_id=MODEL, stream=stream, body=BODIES[api])


def _http_chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


def _chunk(event):
    return encode_event("chunk", msgspec.json.encode({"bytes": b64encode(msgspec.json.encode(event)).decode()}))


def _event(event_type, event):
    return encode_event(event_type, msgspec.json.encode(event))


def _sse(event):
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), msgspec.json.encode(event))


def _completion(delta, finish_reason=None):
    event = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}
    return b"data: %b\n\n" % msgspec.json.encode(event)


USAGE = {"input_tokens": 14, "output_tokens": 1}
MESSAGE = {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": [], "usage": USAGE}
EVENTS = [
    {"type": "message_start", "message": {**MESSAGE, "stop_reason": None, "stop_sequence": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Par"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "is"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 2},
    },
    {
        "type": "message_stop",
        "amazon-bedrock-invocationMetrics": {"invocationLatency": 597, "firstByteLatency": 293},
    },
]
FRAMES = {
    "invoke": list(map(_chunk, EVENTS)),
    "messages": list(map(_sse, EVENTS)),
    "mantle": list(map(_sse, EVENTS)),
    "openai": [
        *map(
            _completion,
            [{"role": "assistant", "content": ""}, {"reasoning_content": ""}, {"content": "Par"}, {"content": "is"}],
        ),
        _completion({}, "stop"),
        b'data: {"choices":[],"usage":{"prompt_tokens":14,"completion_tokens":2}}\n\n',
        b"data: [DONE]\n\n",
    ],
    "converse": [
        _event("messageStart", {"role": "assistant"}),
        _event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": ""}}),
        _event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Par"}}),
        _event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "is"}}),
        _event("contentBlockStop", {"contentBlockIndex": 0}),
        _event("messageStop", {"stopReason": "end_turn"}),
        _event(
            "metadata",
            {"usage": {"inputTokens": 14, "outputTokens": 2, "totalTokens": 16}, "metrics": {"latencyMs": 597}},
        ),
    ],
}
UNTIL_FIRST_TEXT = 3


def _plain(body, status=b"200 OK", headers=b""):
    return (
        b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nx-amzn-RequestId: r-1\r\n%bContent-Length: %d\r\n\r\n%b"
        % (
            status,
            headers,
            len(body),
            body,
        )
    )


class WatchedTape(Tape):
    """Says when the first body bytes are on it."""

    __slots__ = ("arrived",)

    def __init__(self):
        super().__init__()
        self.arrived = asyncio.Event()

    def add(self, piece, at_ns=None):
        super().add(piece, at_ns)
        self.arrived.set()


async def _sent(client, request, tape):
    """What `send` raised, None for nothing."""
    try:
        await client.send(request, tape)
    except Exception as error:
        return error
    return None


def _made_up(url, **settings):
    return Connection(url=url, region="us-east-1", made_up_credentials=True, **settings)


@each_client
@pytest.mark.parametrize("stream", [True, False])
async def test_the_simulator_is_answered_by_every_client_as_by_bedrock(simulator, exchange, name, api, stream):
    url = await simulator(fixed=(0.0, 0.0, 5))
    reply, tape = await exchange(name, url, _request(api, stream=stream))
    assert (reply.ok, reply.error_message, reply.http_status) == (True, None, 200)
    assert reply.text
    assert reply.aws_request_id
    assert reply.stop_reason in ("end_turn", "max_tokens")
    assert reply.input_tokens
    assert reply.output_tokens
    assert (reply.server_latency_ms is None) == (HEADS[api] == SSE_HEAD)
    assert tape.sent_ns <= tape.headers_ns <= reply.first_ns <= reply.last_ns <= tape.done_ns
    assert len(reply.chunk_ns) >= (2 if stream else 1)


@each_client
async def test_a_whole_stream_is_read_to_the_last_byte(serve, exchange, name, api):
    served = await serve(HEADS[api], *map(_http_chunk, FRAMES[api]), END)
    reply, tape = await exchange(name, served.url, _request(api))
    assert (reply.ok, reply.error_message, reply.text, len(reply.chunk_ns)) == (True, None, "Paris", 2)
    assert (reply.input_tokens, reply.output_tokens, reply.stop_reason) == (14, 2, "end_turn")
    assert (reply.server_latency_ms, reply.aws_request_id) == (None if api == "openai" else 597, "r-1")
    assert b"".join(tape.pieces) == b"".join(FRAMES[api])


@pytest.mark.parametrize(
    "steps",
    [
        (STREAM_HEAD, *map(_http_chunk, FRAMES["invoke"]), END),
        (STREAM_HEAD, *map(_http_chunk, FRAMES["invoke"][:4]), END),
        (STREAM_HEAD, _http_chunk(encode_exception("throttlingException", b'{"message":"Too many"}')), END),
        (_plain(b'{"message":"Too many"}', b"429 X", b"x-amzn-ErrorType: ThrottlingException:http://x/\r\n"),),
    ],
    ids=["whole", "cut", "exception frame", "429"],
)
async def test_all_clients_make_the_same_reply_of_the_same_exchange(serve, exchange, steps):
    served = await serve(*steps)
    replies = [(await exchange(name, served.url, _request("invoke")))[0] for name in CLIENTS]
    first, *others = (msgspec.structs.replace(reply, chunk_ns=[]) for reply in replies)
    assert others == [first, first]
    assert len({len(reply.chunk_ns) for reply in replies}) == 1


@pytest.mark.parametrize("stream", [True, False])
async def test_all_clients_send_the_same_body_to_the_same_model(serve, exchange, stream):
    served = await serve(_plain(b"{}", b"500 X"))
    for name in CLIENTS:
        await exchange(name, served.url, _request("invoke", stream=stream))
    assert [msgspec.json.decode(body) for _, body in served.requests] == [BODIES["invoke"]] * 3
    path = f"/model/{MODEL}/invoke" + ("-with-response-stream" if stream else "")
    assert {head.split()[1].decode().replace("%3A", ":") for head, _ in served.requests} == {path}


@each_client
async def test_nothing_is_sent_a_second_time_after_a_failure(serve, exchange, name, api):
    served = await serve(_plain(b'{"message":"no"}', b"503 X"))
    reply, _ = await exchange(name, served.url, _request(api))
    assert reply.error_kind == "unavailable"
    assert len(served.requests) == 1


@each_client
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "ValidationException", "validation"),
        (403, "ExpiredTokenException", "credentials"),
        (429, "ThrottlingException", "throttled"),
        (500, "InternalServerException", "server_error"),
    ],
)
async def test_an_http_error_is_recorded_with_its_code_message_and_request_id(
    serve, exchange, name, api, stream, status, code, kind
):
    header = b"x-amzn-ErrorType: %b:http://internal.amazon.com/coral/com.amazon.bedrock/\r\n" % code.encode()
    served = await serve(_plain(b'{"message":"what happened"}', b"%d X" % status, header))
    reply, tape = await exchange(name, served.url, _request(api, stream=stream))
    assert (reply.error_kind, reply.error_code, reply.error_message) == (kind, code, "what happened")
    assert (reply.http_status, reply.aws_request_id, reply.text) == (status, "r-1", None)
    assert tape.done_ns is not None


@each_client_on_runtime
@pytest.mark.parametrize(
    ("tail", "kind"),
    [
        ((END,), "stream_truncated"),
        ((_http_chunk(FRAMES["invoke"][0][:40]), END), "stream_truncated"),
        (("close",), "stream_truncated"),
        ((_http_chunk(encode_exception("serviceUnavailableException", b'{"message":"x"}')), END), "unavailable"),
        ((_http_chunk(encode_exception("modelStreamErrorException", b"{}")), END), "stream_error"),
        ((_http_chunk(encode_frame({":message-type": "error", ":error-code": "Odd"}, b"")), END), "stream_error"),
        ((_http_chunk(b"<html>oops, not a frame at all</html>"), END), "protocol"),
        ((_http_chunk(FRAMES["invoke"][0][:-1] + b"\x00"), END), "protocol"),
    ],
    ids=["clean end", "mid-frame", "closed", "exception", "stream error", "error frame", "garbage", "checksum"],
)
async def test_a_stream_that_breaks_is_named_and_what_had_arrived_is_kept(serve, exchange, name, api, tail, kind):
    head = [_http_chunk(frame) for frame in FRAMES[api][:UNTIL_FIRST_TEXT]]
    served = await serve(STREAM_HEAD, *head, *tail)
    reply, _ = await exchange(name, served.url, _request(api))
    assert (reply.ok, reply.error_kind, reply.text, len(reply.chunk_ns)) == (False, kind, "Par", 1)
    assert reply.aws_request_id == "r-1"


@pytest.mark.parametrize("name", ON_MANTLE)
@pytest.mark.parametrize(
    ("tail", "kind", "code"),
    [
        ((END,), "stream_truncated", None),
        ((_http_chunk(b"data: {"), END), "stream_truncated", None),
        (("close",), "stream_truncated", {"wire": "ConnectionLost", "anthropic": "RemoteProtocolError"}),
        (
            (_http_chunk(_sse({"type": "error", "error": {"type": "overloaded_error"}})),),
            "unavailable",
            "overloaded_error",
        ),
        ((_http_chunk(_sse({"type": "error", "error": {"type": "odd_error"}})), END), "stream_error", "odd_error"),
        ((_http_chunk(b"data: <html>\n\n"), END), "protocol", "DecodeError"),
    ],
    ids=["clean end", "mid-event", "closed", "overloaded", "error", "garbage"],
)
async def test_a_stream_of_mantles_that_breaks_is_named_too(serve, exchange, name, tail, kind, code):
    head = [_http_chunk(event) for event in FRAMES["mantle"][:UNTIL_FIRST_TEXT]]
    served = await serve(SSE_HEAD, *head, *tail)
    reply, _ = await exchange(name, served.url, _request("mantle"))
    assert (reply.error_kind, reply.text, reply.aws_request_id) == (kind, "Par", "r-1")
    assert reply.error_code == code.get(name) if isinstance(code, dict) else reply.error_code == code


@pytest.mark.parametrize("name", ON_MANTLE)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid_request_error", "validation"),
        (401, "authentication_error", "credentials"),
        (403, "permission_error", "access_denied"),
        (413, "request_too_large", "validation"),
        (429, "rate_limit_error", "throttled"),
        (529, "overloaded_error", "unavailable"),
        (500, "never_heard_of", "server_error"),
    ],
)
async def test_an_http_error_of_mantles_is_recorded_with_its_code_and_message(
    serve, exchange, name, stream, status, code, kind
):
    body = {"type": "error", "error": {"type": code, "message": "what happened"}, "request_id": "r-1"}
    served = await serve(_plain(msgspec.json.encode(body), b"%d X" % status))
    reply, _ = await exchange(name, served.url, _request("mantle", stream=stream))
    assert (reply.error_kind, reply.error_code, reply.error_message) == (kind, code, "what happened")


@pytest.mark.parametrize("name", ON_MANTLE)
async def test_mantle_is_asked_at_its_own_path_and_signed_for_its_own_service(serve, exchange, name):
    served = await serve(_plain(b"{}", b"500 X"))
    await exchange(name, served.url, _request("mantle"), region="eu-west-1")
    [(head, body)] = served.requests
    assert head.startswith(b"POST /anthropic/v1/messages HTTP/1.1\r\n")
    assert b"/eu-west-1/bedrock-mantle/aws4_request" in head
    assert b"\r\nanthropic-version: " in head.lower()
    assert msgspec.json.decode(body) == {**BODIES["mantle"], "model": MODEL, "stream": True}


@pytest.mark.parametrize(
    ("api", "path"), [("messages", b"/anthropic/v1/messages"), ("openai", b"/v1/chat/completions")]
)
async def test_what_no_sdk_signs_is_signed_for_bedrock(serve, exchange, api, path):
    served = await serve(_plain(b"{}", b"500 X"))
    await exchange("wire", served.url, _request(api), region="eu-west-1")
    [(head, body)] = served.requests
    assert head.startswith(b"POST %b HTTP/1.1\r\n" % path)
    assert b"/eu-west-1/bedrock/aws4_request" in head
    assert (b"\r\nanthropic-version: 2023-06-01\r\n" in head.lower()) == (api == "messages")
    counted = {"stream_options": {"include_usage": True}} if api == "openai" else {}
    assert msgspec.json.decode(body) == {**BODIES[api], "model": MODEL, "stream": True, **counted}


@each_client
async def test_a_connection_reset_in_a_stream_is_a_truncation_and_what_had_arrived_is_kept(serve, name, api):
    tape = WatchedTape()
    served = await serve(HEADS[api], _http_chunk(b"".join(FRAMES[api][:UNTIL_FIRST_TEXT])), tape.arrived, "reset")
    async with make_client(name, _made_up(served.url)) as client:
        error = await _sent(client, _request(api), tape)
    reply = read_tape(_request(api), tape, error=error)
    assert (reply.error_kind, reply.text) == ("stream_truncated", "Par")


@each_client
@pytest.mark.parametrize("stream", [True, False])
async def test_a_server_that_hangs_up_before_it_answers_is_a_connection_error(serve, exchange, name, api, stream):
    served = await serve("reset")
    reply, tape = await exchange(name, served.url, _request(api, stream=stream))
    assert (reply.error_kind, reply.http_status, tape.headers_ns) == ("connection", None, None)
    assert tape.sent_ns is not None


@each_client
async def test_a_server_that_speaks_no_http_is_a_protocol_error(serve, exchange, name, api):
    served = await serve(b"SSH-2.0-OpenSSH_9.9\r\n\r\n", "close")
    reply, _ = await exchange(name, served.url, _request(api))
    assert reply.error_kind == "protocol"


@each_client
async def test_a_whole_answer_that_is_cut_off_is_a_connection_error(serve, exchange, name, api):
    served = await serve(_plain(b'{"content":[]}')[:-3], "close")
    reply, _ = await exchange(name, served.url, _request(api, stream=False))
    assert (reply.error_kind, reply.http_status) == ("connection", 200)


@each_client
async def test_a_whole_answer_that_is_not_json_is_a_protocol_error(serve, exchange, name, api):
    served = await serve(_plain(b"<html>hello</html>"))
    reply, _ = await exchange(name, served.url, _request(api, stream=False))
    assert (reply.error_kind, reply.http_status) == ("protocol", 200)


@each_client
async def test_a_closed_port_is_a_connection_error(exchange, name, api):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        reply, tape = await exchange(name, f"http://127.0.0.1:{bound.getsockname()[1]}", _request(api))
    assert (reply.error_kind, tape.sent_ns) == ("connection", None)
    assert tape.done_ns is not None


@each_client
async def test_a_port_that_accepts_nobody_is_a_connect_timeout(exchange, name, api):
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        reply, tape = await exchange(name, url, _request(api), connect_timeout_s=0.05)
    assert (reply.error_kind, tape.sent_ns) == ("connect_timeout", None)


@each_client
async def test_a_send_that_is_cancelled_hangs_up_and_keeps_what_had_arrived(serve, name, api):
    served = await serve(HEADS[api], _http_chunk(b"".join(FRAMES[api][:UNTIL_FIRST_TEXT])), "hold")
    tape = WatchedTape()
    async with make_client(name, _made_up(served.url)) as client:
        sending = asyncio.create_task(client.send(_request(api), tape))
        await tape.arrived.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await served.hung_up.wait()
    reply = read_tape(_request(api), tape, reason="total_timeout")
    assert (reply.error_kind, reply.text, reply.input_tokens) == (
        "total_timeout",
        "Par",
        None if api in ("converse", "openai") else 14,
    )
    assert tape.done_ns is not None


@each_client
@pytest.mark.parametrize("stream", [True, False])
async def test_a_server_that_never_answers_can_be_given_up_on(serve, name, api, stream):
    served = await serve("hold")
    tape = Tape()
    async with make_client(name, _made_up(served.url)) as client:
        sending = asyncio.create_task(client.send(_request(api, stream=stream), tape))
        await served.asked.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await served.hung_up.wait()
    reply = read_tape(_request(api, stream=stream), tape, reason="first_token_timeout")
    assert (reply.error_kind, reply.text, tape.headers_ns) == ("first_token_timeout", None, None)


@each_client
async def test_connections_are_kept_and_used_again(serve, name, api):
    served = await serve(HEADS[api], *map(_http_chunk, FRAMES[api]), END)
    async with make_client(name, _made_up(served.url)) as client:
        for _ in range(3):
            assert await _sent(client, _request(api), Tape()) is None
    assert (len(served.requests), served.connections) == (3, 1)


@each_client
async def test_as_many_exchanges_go_on_at_once_as_the_pool_is_wide(serve, name, api):
    width, go = 30, asyncio.Event()
    served = await serve(go, HEADS[api], *map(_http_chunk, FRAMES[api]), END)
    tapes = [Tape() for _ in range(width)]
    async with make_client(name, _made_up(served.url, pool_size=width)) as client, asyncio.TaskGroup() as group:
        for tape in tapes:
            group.create_task(client.send(_request(api), tape))
        while len(served.requests) < width:
            served.asked.clear()
            await served.asked.wait()
        go.set()
    assert {read_tape(_request(api), tape).text for tape in tapes} == {"Paris"}
