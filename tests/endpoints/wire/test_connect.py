"""The client `wire` and whom it trusts: certificates, and the proxies on the way."""

import asyncio
import re
import ssl
from contextlib import asynccontextmanager

import pytest
import trustme

from harness.endpoints.base import Connection, Tape
from harness.endpoints.wire.client import WireClient
from harness.endpoints.wire.protocol import SLICE
from harness.errors import EndpointError
from tests.endpoints.wire.test_client import REQUEST, STREAM, large_request, open_client, read_body, sent, serving


@pytest.fixture
async def encrypted(tmp_path):
    """`url, bundle`: a server on `localhost` with a certificate of an authority of its own, and that in a file."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))

    async def answer(reader, writer):
        while True:
            await read_body(await reader.readuntil(b"\r\n\r\n"), reader)
            writer.write(STREAM)

    async with serving(answer, ssl=context) as port:
        yield f"https://localhost:{port}", str(bundle)


async def test_a_certificate_of_a_trusted_authority_is_taken_and_the_connection_kept(encrypted, monkeypatch):
    url, bundle = encrypted
    monkeypatch.setenv("AWS_CA_BUNDLE", bundle)
    async with open_client(url) as client:
        replies = [await sent(client, request) for request in (REQUEST, REQUEST, large_request(4 * SLICE))]
        assert len(next(iter(client._pools.values()))._open) == 1
    assert [(reply.ok, reply.error_message) for reply in replies] == [(True, None)] * 3


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_certificate_that_cannot_be_verified_stops_the_exchange(encrypted, monkeypatch, host):
    """Of an unknown authority, or of a known one for another name."""
    url, bundle = encrypted
    if host != "localhost":
        monkeypatch.setenv("AWS_CA_BUNDLE", bundle)
    tape = Tape()
    async with open_client(url.replace("localhost", host)) as client:
        reply = await sent(client, tape=tape)
    assert (reply.error_kind, tape.sent_ns) == ("connection", None)
    assert "certificate verify failed" in reply.error_message


@asynccontextmanager
async def _proxying():
    """The port of a proxy, and the heads of what it was asked."""
    heads = []

    async def carry(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)

    async def tunnel(reader, writer):
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        port = int(heads[-1].split()[1].rpartition(b":")[2])
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))
        finally:
            far_writer.transport.abort()

    async with serving(tunnel) as port:
        yield port, heads


@pytest.fixture
def their_keys(monkeypatch):
    """What an address that is not made up is asked with."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "their-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "their-secret")
    for name in ("NO_PROXY", "no_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("their_keys")
async def test_a_proxy_of_the_environment_is_gone_through_and_sees_no_request(encrypted, monkeypatch):
    url, bundle = encrypted
    monkeypatch.setenv("AWS_CA_BUNDLE", bundle)
    async with _proxying() as (port, heads):
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:s%40cret@127.0.0.1:{port}")
        async with WireClient(Connection(url=url, region="us-east-1")) as client:
            replies = [await sent(client, request) for request in (REQUEST, large_request(4 * SLICE), REQUEST)]
    assert [(reply.ok, reply.error_message) for reply in replies] == [(True, None)] * 3
    [head] = heads
    authority = url.removeprefix("https://").encode()
    assert head == (
        b"CONNECT %b HTTP/1.1\r\nHost: %b\r\nProxy-Authorization: Basic bWU6c0BjcmV0\r\n\r\n" % (authority, authority)
    )


@pytest.mark.usefixtures("their_keys")
@pytest.mark.parametrize(
    ("answer", "said"),
    [(b"HTTP/1.1 407 Who are you\r\n\r\n", "refused a tunnel to .*: 407 Who are you"), (b"", "hung up")],
)
async def test_a_proxy_that_refuses_is_a_connection_error_that_names_it(encrypted, monkeypatch, answer, said):
    async def refuse(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        if answer:
            await reader.read()

    async with serving(refuse) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        tape = Tape()
        async with WireClient(Connection(url=encrypted[0], region="us-east-1")) as client:
            reply = await sent(client, tape=tape)
    assert (reply.error_kind, tape.sent_ns) == ("connection", None)
    assert re.search(said, reply.error_message)


@pytest.mark.usefixtures("their_keys")
async def test_no_proxy_stands_between_where_the_environment_says_so(encrypted, monkeypatch):
    url, bundle = encrypted
    monkeypatch.setenv("AWS_CA_BUNDLE", bundle)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "localhost")
    async with WireClient(Connection(url=url, region="us-east-1")) as client:
        assert (await sent(client)).ok


@pytest.mark.usefixtures("their_keys")
@pytest.mark.parametrize("proxy", ["http://[bad", "http://x:99999999", "socks5://127.0.0.1:9x"])
async def test_a_proxy_that_is_not_a_url_is_reported_before_anything_is_sent(monkeypatch, proxy):
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(EndpointError, match="HTTPS_PROXY is not the URL of an http or https proxy"):
        await WireClient(Connection(region="us-east-1")).__aenter__()


async def test_a_server_without_encryption_is_a_connection_error():
    async def answer(reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()

    async with serving(answer) as port, open_client(f"https://127.0.0.1:{port}") as client:
        reply = await sent(client)
    assert reply.error_kind == "connection"
