"""Servers that quote a secret by itself, without a header's name: no client lets it into a record."""

from __future__ import annotations

import asyncio
import re

import msgspec
import pytest

from harness.endpoints import CLIENTS, make_client
from harness.endpoints.base import Connection
from harness.endpoints.failures import MAX_MESSAGE, clean, from_response
from harness.secrets import remember_environment
from tests.endpoints.test_credentials import CANARIES, _request, _sent, each_client, rotating  # noqa: F401

LONG = "IQoJb3JpZ2luX2Vj" + "Qw" * 500


@pytest.fixture
def known(monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", LONG)
    remember_environment()


@pytest.mark.usefixtures("known")
def test_a_secret_that_the_end_of_a_record_would_cut_in_half_is_taken_out_first():
    """The record of a body without a message holds 500 characters; the second token begins before and ends after."""
    for told in (f"{'x' * 480} {LONG}", f"{LONG} and then {'x' * 400} {LONG}", f"{LONG} {LONG} {LONG}"):
        for failure in (from_response(502, None, told.encode()), from_response(403, LONG, b"{}")):
            assert LONG[:20] not in f"{failure}"
            assert len(failure.message) <= MAX_MESSAGE


@pytest.mark.parametrize(
    "told",
    [
        "AWS_SESSION_TOKEN=SEKRET",
        "aws_secret_access_key = SEKRET",
        "key sk-ant-api03-SEKRET is unknown",
        "cannot connect to proxy http://me:SEKRET@127.0.0.1:1/",
        "url='http://SEKRET:x@proxy'",
    ],
)
def test_what_looks_like_a_secret_is_taken_out_without_being_known(told):
    assert "SEKRET" not in clean(told)


def quoting(tokens, *, ok):
    """A server that says in an error, or in its answer, which session token it was sent, and in two more headers."""

    async def answer(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        token = re.search(rb"(?i)x-amz-security-token: (\S+)", head).group(1).decode()
        tokens.append(token)
        told = f"I was sent {token}."
        message = {"output": {"message": {"content": [{"text": told}]}}, "stopReason": token, "usage": {}}
        anthropic = {"content": [{"type": "text", "text": told}], "stop_reason": token, "usage": {}}
        openai = {"choices": [{"message": {"content": told}, "finish_reason": token}]}
        said = {**message, **anthropic, **openai, "type": "message", "role": "assistant"} if ok else {"message": told}
        body = msgspec.json.encode(said)
        status = "200 OK" if ok else f"403 X\r\nx-amzn-errortype: {token}"
        ids = f"x-amzn-requestid: {token}\r\nrequest-id: {token}"
        shape = f"Content-Type: application/json\r\nConnection: close\r\nContent-Length: {len(body)}"
        writer.write(f"HTTP/1.1 {status}\r\n{ids}\r\n{shape}\r\n\r\n".encode() + body)
        writer.close()

    return answer


@each_client
@pytest.mark.parametrize("ok", [True, False])
async def test_a_session_token_that_is_refreshed_in_a_run_is_known_each_time(rotating, monkeypatch, name, api, ok):  # noqa: F811
    """One whose credentials come from a process, so that no file and no variable holds them."""
    tokens = []
    server = await asyncio.start_server(quoting(tokens, ok=ok), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    connection = Connection(url=url, region=f"eu-{name}-{api}-{ok}-5")
    async with make_client(name, connection) as client:
        replies = [await _sent(client, _request(api, stream=False)) for _ in range(2)]
    server.close()
    assert len({*tokens}) == 2
    for reply in replies:
        assert reply.ok == ok
        assert "I was sent [redacted]." == (reply.text if ok else reply.error_message)
        assert "CANARY" not in repr(reply)


@pytest.mark.parametrize("name", ["wire", "aioboto3"])
async def test_the_secret_key_of_a_profiles_process_is_known(serve, rotating, name):  # noqa: F811
    served = await serve(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n")
    connection = Connection(url=served.url, region=f"eu-{name}-6")
    async with make_client(name, connection) as client:
        await _sent(client, _request("converse"))
    number = int((rotating / "issued").read_text())
    assert "it is [redacted]!" == clean(f"it is CANARY-secret-{number}!")


@pytest.mark.parametrize("name", CLIENTS)
async def test_what_a_file_holds_for_any_profile_is_known(serve, rotating, name):  # noqa: F811
    """A role is asked for with the keys of another profile."""
    with (rotating / "config").open("a") as config:
        config.write(f"[profile other]\naws_access_key_id = CANARY-{name}-id\naws_secret_access_key = CANARY-{name}\n")
    served = await serve(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n")
    async with make_client(name, Connection(url=served.url, region=f"eu-{name}-7")):
        assert "[redacted]: [redacted]" == clean(f"CANARY-{name}-id: CANARY-{name}")
