import asyncio
import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from anthropic.lib.aws._auth import _get_session

from harness.endpoints import APIS, CLIENTS, make_client
from harness.endpoints.base import MADE_UP_KEY_ID, Connection, Tape, WireRequest
from harness.endpoints.failures import from_exception
from harness.endpoints.read_tape import read_tape
from harness.errors import EndpointError

TURN = {"messages": [{"role": "user", "content": [{"text": "hello"}]}]}
REFUSAL = b"HTTP/1.1 500 X\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
each_client = pytest.mark.parametrize(
    ("name", "api"),
    [(client, api) for client, apis in APIS.items() for api in apis],
)


def _request(api, *, stream=True):
    return WireRequest(
        api=api, model_id="m", stream=stream, body=TURN | ({"max_tokens": 9} if api != "converse" else {})
    )


CANARIES = {
    "AWS_BEARER_TOKEN_BEDROCK": "CANARY-bearer",
    "AWS_ACCESS_KEY_ID": "CANARY-id",
    "AWS_SECRET_ACCESS_KEY": "CANARY-secret",
    "AWS_SESSION_TOKEN": "CANARY-session",
    "ANTHROPIC_API_KEY": "CANARY-api-key",
    "ANTHROPIC_AWS_API_KEY": "CANARY-platform-key",
    "ANTHROPIC_AUTH_TOKEN": "CANARY-auth-token",
    "ANTHROPIC_CUSTOM_HEADERS": "X-Gateway-Key: CANARY-header",
}


@each_client
@pytest.mark.parametrize("stream", [True, False])
async def test_no_secret_of_the_users_environment_reaches_loopback(serve, exchange, monkeypatch, name, api, stream):
    elsewhere = await serve("close")
    for variable, value in CANARIES.items():
        monkeypatch.setenv(variable, value)
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(variable, elsewhere.url)
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
    for variable in (
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
        "ANTHROPIC_BEDROCK_BASE_URL",
        "ANTHROPIC_BEDROCK_MANTLE_BASE_URL",
    ):
        monkeypatch.setenv(variable, elsewhere.url)
    served = await serve(REFUSAL)
    await exchange(name, served.url, _request(api, stream=stream))
    [(head, body)] = served.requests
    assert b"CANARY" not in head + body
    assert b"Credential=%b/" % MADE_UP_KEY_ID.encode() in head
    assert elsewhere.requests == []


@each_client
async def test_any_other_address_gets_the_users_own_credentials(serve, exchange, monkeypatch, name, api):
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "their-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "their-secret")
    served = await serve(REFUSAL)
    settings = {"made_up_credentials": False, "region": f"eu-{name}-1"}
    await exchange(name, served.url, _request(api), **settings)
    assert b"Credential=their-id/" in served.requests[0][0]
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "their-token")
    await exchange(name, served.url, _request(api), **settings)
    assert b"bearer their-token" in served.requests[1][0].lower()


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("variables", [{}, {"AWS_PROFILE": "no-such-profile"}])
async def test_missing_credentials_are_reported_before_anything_is_sent(monkeypatch, tmp_path, name, variables):
    for variable in CANARIES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for variable in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(variable, str(tmp_path / "none"))
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    client = make_client(name, Connection(region=f"ap-{len(variables)}-1"))
    with pytest.raises(EndpointError, match="no-such-profile" if variables else "credentials"):
        await client.__aenter__()


SCRIPT = """#!/bin/sh
cd "$(dirname "$0")"
if [ -e broken ]; then echo "the session has ended; log in again" >&2; exit 255; fi
n=$(($(cat issued) + 1))
echo $n > issued
printf '{"Version": 1, "AccessKeyId": "key-%s", "SecretAccessKey": "CANARY-secret-%s",' $n $n
printf ' "SessionToken": "CANARY-session-%s", "Expiration": "%s"}' $n "$(cat expires)"
"""


@pytest.fixture
def rotating(tmp_path, monkeypatch):
    """A folder with a profile, called as the folder is, whose credentials are others each time, and soon to expire.

    AWS_PROFILE names it. The SDK of Anthropic keeps a session for each Region, whatever the environment says since.
    """
    _get_session.cache_clear()
    monkeypatch.setenv("AWS_PROFILE", tmp_path.name)
    for variable in CANARIES:
        monkeypatch.delenv(variable, raising=False)
    script = tmp_path / "issue"
    script.write_text(SCRIPT)
    script.chmod(0o700)
    (tmp_path / "issued").write_text("0")
    (tmp_path / "expires").write_text((datetime.now(UTC) + timedelta(minutes=2)).isoformat())
    (tmp_path / "config").write_text(f"[profile {tmp_path.name}]\nregion = sa-east-1\ncredential_process = {script}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    return tmp_path


def _key_number(head):
    return int(re.search(rb"Credential=key-(\d+)/", head).group(1))


async def _sent(client, request):
    """The reply to one request, read as the runner reads it."""
    tape, error = Tape(), None
    try:
        await client.send(request, tape)
    except Exception as raised:
        error = raised
    return read_tape(request, tape, error=error)


@each_client
async def test_credentials_that_expire_are_refreshed_in_the_middle_of_a_run(serve, rotating, name, api):
    served = await serve(REFUSAL)
    async with make_client(name, Connection(url=served.url, region="eu-west-1")) as client:
        for _ in range(3):
            assert (await _sent(client, _request(api))).http_status == 500
    first, second, third = (_key_number(head) for head, _ in served.requests)
    assert 0 < first < second < third


@each_client
async def test_a_refresh_that_fails_is_a_credentials_error_and_nothing_is_sent(serve, rotating, name, api):
    served = await serve(REFUSAL)
    async with make_client(name, Connection(url=served.url, region="eu-west-2")) as client:
        (rotating / "broken").touch()
        reply = await _sent(client, _request(api))
        assert (reply.error_kind, served.requests) == ("credentials", [])
        assert "the session has ended; log in again" in reply.error_message
        (rotating / "broken").unlink()
        assert (await _sent(client, _request(api))).http_status == 500


@pytest.mark.parametrize("name", CLIENTS)
async def test_credentials_that_cannot_be_had_at_the_start_are_reported_before_anything_is_sent(serve, rotating, name):
    served = await serve(REFUSAL)
    (rotating / "broken").touch()
    with pytest.raises(EndpointError, match="the session has ended; log in again"):
        await make_client(name, Connection(url=served.url, region="us-west-2")).__aenter__()
    assert served.requests == []


@each_client
async def test_a_refresh_that_brings_expired_credentials_is_a_credentials_error(serve, rotating, name, api):
    served = await serve(REFUSAL)
    async with make_client(name, Connection(url=served.url, region="eu-west-3")) as client:
        (rotating / "expires").write_text("2020-01-01T00:00:00Z")
        reply = await _sent(client, _request(api))
    assert (reply.error_kind, served.requests) == ("credentials", [])


ROLE = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>key-1</AccessKeyId><SecretAccessKey>CANARY-secret</SecretAccessKey><SessionToken>CANARY-session</SessionToken>
<Expiration>{}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""
NO_ROLE = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not any more</Message></Error></ErrorResponse>"


@pytest.fixture
def sts_elsewhere(monkeypatch):
    """AWS_ENDPOINT_URL_STS stands in for AWS here, which it cannot for a user."""
    monkeypatch.setattr("harness.endpoints.credentials.IGNORE_CONFIGURED_URLS", False)
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false")


@each_client
@pytest.mark.usefixtures("sts_elsewhere")
async def test_a_role_that_may_no_longer_be_assumed_is_a_credentials_error(serve, rotating, monkeypatch, name, api):
    answers = [b"HTTP/1.1 200 OK", ROLE.format((rotating / "expires").read_text())]

    async def sts(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        status, body = answers[0], answers[1].encode()
        writer.write(b"%b\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))
        writer.close()

    server = await asyncio.start_server(sts, "127.0.0.1", 0)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    profile = f"{rotating.name}-role"
    monkeypatch.setenv("AWS_PROFILE", profile)
    with (rotating / "config").open("a") as config:
        config.write(f"[profile {profile}]\nrole_arn = arn:aws:iam::123456789012:role/r\n")
        config.write(f"source_profile = {rotating.name}\n")
    served = await serve(REFUSAL)
    async with make_client(name, Connection(url=served.url, region="eu-central-1")) as client:
        answers[:] = [b"HTTP/1.1 403 Forbidden", NO_ROLE]
        reply = await _sent(client, _request(api))
    with pytest.raises(EndpointError, match="not any more"):
        await make_client(name, Connection(url=served.url, region=f"eu-{api}-1")).__aenter__()
    server.close()
    assert (reply.error_kind, served.requests) == ("credentials", [])
    assert "not any more" in reply.error_message


@each_client
async def test_the_region_is_the_connections_whatever_profile_and_environment_say(
    serve, rotating, monkeypatch, name, api
):
    monkeypatch.setenv("AWS_REGION", "ap-south-1")
    served = await serve(REFUSAL)
    async with make_client(name, Connection(url=served.url, region="eu-north-1")) as client:
        await _sent(client, _request(api))
    [(head, _)] = served.requests
    assert re.search(rb"Credential=key-\d+/\d+/eu-north-1/bedrock", head)
    assert re.search(rb"(?i)x-amz-security-token: CANARY-session-\d+\r", head)


@each_client
async def test_keys_and_session_token_of_the_environment_are_used_in_the_connections_region(
    serve, exchange, monkeypatch, name, api
):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "their-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "their-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "their-session")
    monkeypatch.setenv("AWS_REGION", "ap-south-1")
    served = await serve(REFUSAL)
    await exchange(name, served.url, _request(api), made_up_credentials=False, region=f"eu-{name}-{api}-2")
    [(head, _)] = served.requests
    assert re.search(rf"Credential=their-id/\d+/eu-{name}-{api}-2/bedrock".encode(), head)
    assert b"x-amz-security-token: their-session\r" in head.lower()


@each_client
@pytest.mark.parametrize("bearer", [True, False])
async def test_no_secret_comes_out_of_an_exchange_not_even_from_a_server_that_repeats_all_it_was_sent(
    monkeypatch, caplog, name, api, bearer
):
    caplog.set_level("INFO")
    for variable, value in CANARIES.items():
        monkeypatch.setenv(variable, value)
    if not bearer:
        monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK")
    monkeypatch.delenv("ANTHROPIC_CUSTOM_HEADERS")
    heads = []

    async def echo(reader, writer):
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        told = msgspec.json.encode({"message": heads[-1].decode()})
        writer.write(b"HTTP/1.1 403 X\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told))
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    connection, request, tape = Connection(url=url, region=f"eu-{name}-{api}-{bearer}-3"), _request(api), Tape()
    error = None
    async with make_client(name, connection) as client:
        try:
            await client.send(request, tape)
        except Exception as raised:
            error = raised
    server.close()
    reply = read_tape(request, tape, error=error)
    assert b"CANARY" in heads[0]
    assert reply.error_kind == "access_denied"
    told = [reply, connection, client, request, tape, error and from_exception(error), caplog.text]
    assert not re.search("CANARY-(?!id)", "".join(map(repr, told)))


@pytest.mark.parametrize("name", CLIENTS)
async def test_aws_is_aws_whatever_the_environment_says_of_other_endpoints(monkeypatch, name):
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "their-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "their-secret")
    for variable in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "ANTHROPIC_BEDROCK_BASE_URL"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    async with make_client(name, Connection(region="eu-west-1")) as client:
        if name == "wire":
            url = client._prepare(_request("invoke")).url.partition("/model/")[0]
        else:
            url = str(client._sdk.meta.endpoint_url if name == "aioboto3" else client._sdks["invoke"].base_url)
    assert "https://bedrock-runtime.eu-west-1.amazonaws.com" == url.rstrip("/")


@pytest.mark.parametrize("name", CLIENTS)
async def test_the_keys_that_a_role_is_asked_with_go_to_aws_alone(serve, rotating, monkeypatch, name):
    """Nothing listens at the proxy, so that nothing leaves this machine."""
    elsewhere = await serve("close")
    for variable in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"):
        monkeypatch.setenv(variable, elsewhere.url)
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    profile = f"{rotating.name}-role"
    monkeypatch.setenv("AWS_PROFILE", profile)
    with (rotating / "config").open("a") as config:
        config.write(f"[profile {profile}]\nrole_arn = arn:aws:iam::123456789012:role/r\n")
        config.write(f"source_profile = {rotating.name}\nservices = elsewhere\n")
        config.write(f"[services elsewhere]\nsts =\n  endpoint_url = {elsewhere.url}\n")
    with pytest.raises(EndpointError, match="proxy"):
        await make_client(name, Connection(region=f"eu-{name}-4")).__aenter__()
    assert elsewhere.requests == []


def _ask_for_credentials_at(asked_url, folder, kind, monkeypatch):
    """Have credentials asked for at a URL of the test's, by a profile or the environment."""
    if kind == "container":
        monkeypatch.delenv("AWS_PROFILE")
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{asked_url}/credentials")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "CANARY-container")
        return
    lines = {
        "role": f"source_profile = {folder.name}\n",
        "web": f"web_identity_token_file = {folder / 'token'}\n",
    }
    (folder / "token").write_text("CANARY-web-identity")
    profile = f"{folder.name}-{kind}"
    with (folder / "config").open("a") as config:
        config.write(f"[profile {profile}]\nrole_arn = arn:aws:iam::123456789012:role/{kind}\n{lines[kind]}")
    monkeypatch.setenv("AWS_PROFILE", profile)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", asked_url)


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("kind", ["role", "web", "container"])
@pytest.mark.usefixtures("sts_elsewhere")
async def test_who_is_asked_for_credentials_cannot_redirect_the_question(serve, rotating, monkeypatch, name, kind):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    other = await serve("close")
    location = f"{other.url}/elsewhere".encode()
    served = await serve(b"HTTP/1.1 307 X\r\nLocation: %b\r\nContent-Length: 2\r\n\r\n{}" % location)
    _ask_for_credentials_at(served.url, rotating, kind, monkeypatch)
    connection = Connection(url=other.url, region=f"eu-{name}-{kind}-1")
    with pytest.raises(EndpointError, match=f"client {name}: "):
        await make_client(name, connection).__aenter__()
    assert served.requests
    assert other.connections == 0


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.usefixtures("sts_elsewhere")
async def test_an_answer_to_a_refresh_that_is_not_an_answer_of_aws_is_a_credentials_error(
    serve, rotating, monkeypatch, name
):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    answers = [ROLE.format((rotating / "expires").read_text()).encode()]

    async def sts(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        body = answers[0]
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        writer.close()

    server = await asyncio.start_server(sts, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    _ask_for_credentials_at(url, rotating, "role", monkeypatch)
    served = await serve(REFUSAL)
    async with make_client(name, Connection(url=served.url, region="eu-west-9")) as client:
        answers[:] = [b"<html>sign in to this network</html"]
        reply = await _sent(client, _request("invoke"))
    with pytest.raises(EndpointError, match=f"client {name}: "):
        await make_client(name, Connection(url=served.url, region="eu-east-9")).__aenter__()
    server.close()
    assert (reply.error_kind, served.requests) == ("credentials", [])
