"""What a server must never bring a client to: hang, ask another host, unpack a bomb, take an answer for another's."""

import asyncio
import gzip
import ssl
import zlib

import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from harness.endpoints import base, make_client
from harness.endpoints.account.account import open_account
from harness.endpoints.account.errors import AccountError
from harness.endpoints.base import Connection, Tape, WireRequest
from harness.endpoints.invocation_log.records import open_log
from harness.endpoints.read_tape import read_tape
from harness.errors import EndpointError
from tests.endpoints.sdk.test_clients import BODIES, END, FRAMES, HEADS, MODEL, SPOKEN, _http_chunk
from tests.endpoints.wire.test_client import read_body, serving

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


REDIRECTS = [301, 302, 303, 307, 308]
LOCATIONS = ["{other}/model/m/converse", "{own}/elsewhere", "/elsewhere", "//127.0.0.1:9/elsewhere"]


def redirections(served, other):
    """One answer of each status to each kind of address; called late, when the servers' own are known."""
    for status in REDIRECTS:
        for location in LOCATIONS:
            address = location.format(other=other.url, own=served.url).encode()
            yield answer(b"{}", b"%d X" % status, b"Location: %b\r\n" % address)


@each_client
@each_mode
async def test_no_client_follows_a_redirect(serve, name, api, stream):
    steps = []
    other = await serve(whole_stream(api))
    served = await serve(iter(lambda: steps.pop(0), None))
    steps += redirections(served, other)
    request = request_to(api, stream)
    async with make_client(name, connect_to(served.url)) as client:
        replies = [await sent(client, request) for _ in range(len(steps))]
    told = [(reply.error_kind, reply.http_status) for reply in replies]
    assert told == [("protocol", status) for status in REDIRECTS for _ in LOCATIONS]
    assert f"HTTP 301: the server redirects to {other.url}/model/m/converse; " in replies[0].error_message
    assert (len(served.requests), other.connections) == (len(told), 0)


async def test_a_redirect_is_one_whatever_else_it_calls_itself(serve, exchange):
    fields = b"x-amzn-errortype: ThrottlingException\r\nLocation: /x?token=s3cret\r\n"
    served = await serve(answer(b'{"message":"later"}', b"307 X", fields))
    reply, _ = await exchange("wire", served.url, request_to("converse"))
    assert (reply.error_kind, reply.http_status) == ("protocol", 307)
    assert "/x; " in reply.error_message
    assert "s3cret" not in reply.error_message


async def read_log(source, connection):
    async with open_log(source, connection) as log:
        async for _ in log.records():
            pass


@pytest.mark.parametrize("status", REDIRECTS)
async def test_what_is_asked_of_an_account_and_of_its_log_follows_no_redirect_either(serve, status):
    other, paths = await serve(answer(b"{}")), []

    async def redirect(request):
        paths.append(request.path_qs)
        fields = {"Location": f"{other.url}/x", "x-amz-bucket-region": f"127.0.0.1:{other.url.rpartition(':')[2]}/"}
        return web.Response(status=status, headers=fields, text="{}")

    async with RawTestServer(redirect) as server:
        connection = connect_to(str(server.make_url("")).rstrip("/"))
        async with open_account(connection.url, region="us-east-1") as account:
            asked = [account.identity(), account.foundation_models(), account.inference_profiles(), account.quotas()]
            asked += [account.logging(), account.availability("m"), account.count_tokens("m", {})]
            for question in asked:
                with pytest.raises(AccountError):
                    await question
            with pytest.raises(AccountError, match=f"HTTP {status}, a redirect, which is not followed"):
                await account.foundation_models()
            assert (await account._bucket_retention("bucket", "")).error is not None
        for source in ("s3://bucket", "logs:group"):
            with pytest.raises(EndpointError, match=source):
                await read_log(source, connection)
    assert len(paths) >= len(asked) + 3
    assert other.connections == 0


@each_client
@each_mode
async def test_no_client_offers_compression(serve, exchange, name, api, stream):
    served = await serve(answer(b"{}", b"500 X"))
    await exchange(name, served.url, request_to(api, stream))
    [(head, _)] = served.requests
    fields = [line for line in head.lower().split(b"\r\n") if line.startswith(b"accept-encoding")]
    assert fields == [b"accept-encoding: identity"]


BOMB = gzip.compress(bytes(4 * 2**20), mtime=0)
CODINGS = ["gzip", "deflate", "br", "gzip, zstd", "x-nobody-knows"]


@each_client
@each_mode
async def test_an_answer_that_is_compressed_all_the_same_is_named_and_not_unpacked(
    serve, monkeypatch, name, api, stream
):
    """Counts calls of the real unpacker: one that unpacks piece by piece would not show in memory.

    An unpacker other than zlib's would go over the limit, which is lowered so that the bomb can be small.
    """
    served = await serve(answer(BOMB, fields=f"Content-Encoding: {coding}\r\n".encode()) for coding in CODINGS)
    unpacking, make_unpacker = [], zlib.decompressobj
    async with make_client(name, connect_to(served.url)) as client:
        monkeypatch.setattr(zlib, "decompressobj", lambda *how: unpacking.append(how) or make_unpacker(*how))
        monkeypatch.setattr(base, "MAX_ANSWER", 2 * len(BOMB))
        replies = [await sent(client, request_to(api, stream)) for _ in CODINGS]
    assert [(reply.error_kind, reply.http_status, reply.text) for reply in replies] == [("protocol", 200, None)] * 5
    for reply, coding in zip(replies, CODINGS, strict=True):
        assert f"(content-encoding: {coding})" in reply.error_message
    assert unpacking == []


@each_client
async def test_a_compressed_refusal_is_known_by_its_status(serve, exchange, name, api):
    body = gzip.compress(b'{"message":"later"}', mtime=0)
    served = await serve(answer(body, b"429 X", b"Content-Encoding: gzip\r\n"))
    reply, _ = await exchange(name, served.url, request_to(api))
    assert (reply.error_kind, reply.error_message) == ("throttled", "HTTP 429 without a message")


def refusal(message):
    return answer(b'{"message":"%b"}' % message, b"400 X")


SMUGGLED = refusal(b"smuggled")


@each_client
@pytest.mark.parametrize("more", [SMUGGLED, SMUGGLED[:12], b"\r\n\r\nrubbish"], ids=["an answer", "a part", "rubbish"])
async def test_what_follows_an_answer_is_never_taken_for_the_next_ones(serve, name, api, more):
    served = await serve(iter([refusal(b"one") + more, refusal(b"two"), whole_stream(api) + more, refusal(b"four")]))
    async with make_client(name, connect_to(served.url)) as client:
        replies = [await sent(client, request_to(api)) for _ in range(4)]
    told = [reply.text or reply.error_message for reply in replies]
    assert told == ["one", "two", "Paris", "four"]
    if name != "aioboto3" or more != SMUGGLED[:12]:  # aiohttp forgets it, and goes on with the connection
        assert served.connections == 3


@pytest.mark.parametrize(("name", "api"), [("wire", "invoke"), ("aioboto3", "invoke"), ("anthropic", "invoke")])
async def test_what_follows_an_answer_encrypted_on_its_own_is_not_an_answer_either(monkeypatch, tmp_path, name, api):
    authority, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    for variable in ("AWS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(variable, str(tmp_path / "ca.pem"))
    answers = iter([refusal(b"one"), refusal(b"two")])

    async def respond(reader, writer):
        while True:
            await read_body(await reader.readuntil(b"\r\n\r\n"), reader)
            writer.write(next(answers))
            writer.write(SMUGGLED)

    async with (
        serving(respond, ssl=context) as port,
        make_client(name, connect_to(f"https://localhost:{port}")) as client,
    ):
        replies = [await sent(client, request_to(api)) for _ in range(2)]
    assert [reply.error_message for reply in replies] == ["one", "two"]


@each_client
async def test_what_comes_while_a_connection_is_idle_is_never_taken_for_an_answer(serve, name, api):
    over, written = asyncio.Event(), asyncio.Event()

    def tell():
        while True:
            written.set()
            yield b""

    served = await serve(whole_stream(api), over, SMUGGLED, tell())
    async with make_client(name, connect_to(served.url)) as client:
        assert (await sent(client, request_to(api))).text == "Paris"
        over.set()
        await written.wait()
        for _ in range(5):  # what is written on loopback has arrived by then
            await asyncio.sleep(0)
        assert (await sent(client, request_to(api))).text == "Paris"
    assert served.connections == 2
