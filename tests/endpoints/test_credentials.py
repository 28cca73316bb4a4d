import pytest

from harness.endpoints import make_client
from harness.endpoints.base import MADE_UP_KEY_ID, Connection, WireRequest
from harness.errors import EndpointError

TURN = {"messages": [{"role": "user", "content": [{"text": "hello"}]}]}
REFUSAL = b"HTTP/1.1 500 X\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
each_client = pytest.mark.parametrize(
    ("name", "api"), [("aioboto3", "invoke"), ("aioboto3", "converse"), ("anthropic", "invoke")]
)


def _request(api, *, stream=True):
    return WireRequest(api=api, model_id="m", stream=stream, body=TURN | ({"max_tokens": 9} if api == "invoke" else {}))


CANARIES = {
    "AWS_BEARER_TOKEN_BEDROCK": "CANARY-bearer",
    "AWS_ACCESS_KEY_ID": "CANARY-id",
    "AWS_SECRET_ACCESS_KEY": "CANARY-secret",
    "AWS_SESSION_TOKEN": "CANARY-session",
    "ANTHROPIC_API_KEY": "CANARY-api-key",
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
    for variable in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "ANTHROPIC_BEDROCK_BASE_URL"):
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


@pytest.mark.parametrize("name", ["aioboto3", "anthropic"])
@pytest.mark.parametrize("profile", [None, "no-such-profile"])
async def test_missing_credentials_are_said_before_anything_is_sent(monkeypatch, tmp_path, name, profile):
    for variable in CANARIES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for variable in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(variable, str(tmp_path / "none"))
    if profile:
        monkeypatch.setenv("AWS_PROFILE", profile)
    client = make_client(name, Connection(region=f"ap-{profile or 'none'}-1"))
    with pytest.raises(EndpointError, match=profile or "credentials"):
        await client.__aenter__()


@pytest.mark.parametrize("name", ["aioboto3", "anthropic"])
async def test_aws_is_aws_whatever_the_environment_says_of_other_endpoints(monkeypatch, name):
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "their-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "their-secret")
    for variable in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "ANTHROPIC_BEDROCK_BASE_URL"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    async with make_client(name, Connection(region="eu-west-1")) as client:
        sdk = client._sdk
        url = str(sdk.meta.endpoint_url if name == "aioboto3" else sdk.base_url)
    assert "https://bedrock-runtime.eu-west-1.amazonaws.com" == url.rstrip("/")
