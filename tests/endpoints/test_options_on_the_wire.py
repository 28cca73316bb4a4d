from base64 import b64encode
from hashlib import sha256

import msgspec
import pytest

from harness.catalog.target import Options, Target, Tool
from harness.endpoints import APIS
from harness.endpoints.request import build_request
from harness.suite.suite import Attachment, Message, Prompt

REFUSAL = b"HTTP/1.1 500 X\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
PDF = b"%PDF-1.7 \xe2\xe3"
each_client = pytest.mark.parametrize(
    ("name", "api"),
    [(client, api) for client, apis in APIS.items() for api in apis],
)
each_mode = pytest.mark.parametrize("stream", [True, False])
OPTIONS = Options(
    max_tokens=4000,
    system="Be brief.",
    temperature=1.0,
    top_p=0.9,
    top_k=40,
    stop_sequences=["END"],
    thinking=2048,
    tools=[Tool(name="look_up", description="Looks it up.", input_schema={"type": "object"})],
    tool_choice="auto",
    cache="1h",
    citations=True,
    beta=["context-1m-2025-08-07"],
)


@pytest.fixture
def prompt(tmp_path):
    path = tmp_path / "report.pdf"
    path.write_bytes(PDF)
    digest = sha256(PDF).hexdigest()
    document = Attachment(name="report.pdf", media_type="application/pdf", digest=digest, size=len(PDF), path=path)
    return Prompt(id="p", messages=(Message(role="user", content="What rose?"),), documents=(document,))


def _request(client, api, stream, options, prompt):
    target = Target(
        name="t",
        model="m",
        base_model="b",
        model_id="us.b-v1:0",
        routing="us",
        api=api,
        client=client,
        region="us-east-1",
        stream=stream,
        options=options,
    )
    return build_request(target, prompt)


def _as_sent(value):
    """A body as JSON has it: bytes in base64."""
    if isinstance(value, dict):
        return {name: _as_sent(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_as_sent(each) for each in value]
    return b64encode(value).decode() if isinstance(value, bytes) else value


@each_client
@each_mode
async def test_every_option_reaches_the_wire_as_it_was_built(serve, exchange, prompt, name, api, stream):
    served = await serve(REFUSAL)
    request = _request(name, api, stream, OPTIONS, prompt)
    reply, _ = await exchange(name, served.url, request)
    assert (reply.http_status, reply.error_kind) == (500, "server_error")
    [(head, body)] = served.requests
    sent = msgspec.json.decode(body)
    if api in ("mantle", "messages", "openai"):
        assert (sent.pop("model"), sent.pop("stream", False)) == ("us.b-v1:0", stream)
        assert sent.pop("stream_options", None) == ({"include_usage": True} if api == "openai" and stream else None)
    if api in ("mantle", "messages"):
        assert b"\r\nanthropic-beta: context-1m-2025-08-07\r\n" in head.lower()
    assert sent == _as_sent(request.body)


@pytest.mark.parametrize("name", ["wire", "aioboto3", "anthropic"])
@each_mode
async def test_tier_and_latency_are_signed_headers_of_invoke(serve, exchange, prompt, name, stream):
    served = await serve(REFUSAL)
    options = Options(service_tier="flex", latency="optimized")
    await exchange(name, served.url, _request(name, "invoke", stream, options, prompt))
    [(head, _)] = served.requests
    fields = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
    assert fields["x-amzn-bedrock-service-tier"] == "flex"
    assert fields["x-amzn-bedrock-performanceconfig-latency"] == "optimized"
    signed = fields["authorization"].partition("signedheaders=")[2].partition(",")[0].split(";")
    assert {"x-amzn-bedrock-service-tier", "x-amzn-bedrock-performanceconfig-latency"} <= set(signed)


@pytest.mark.parametrize("name", ["wire", "aioboto3"])
@each_mode
async def test_tier_and_latency_are_members_of_converse(serve, exchange, prompt, name, stream):
    served = await serve(REFUSAL)
    options = Options(service_tier="flex", latency="optimized")
    await exchange(name, served.url, _request(name, "converse", stream, options, prompt))
    sent = msgspec.json.decode(served.requests[0][1])
    assert (sent["serviceTier"], sent["performanceConfig"]) == ({"type": "flex"}, {"latency": "optimized"})
