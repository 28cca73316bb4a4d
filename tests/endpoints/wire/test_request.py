import pytest

from harness.endpoints.base import Connection, WireRequest
from harness.endpoints.wire.request import find_address

ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"


def _url(api, *, url=None, stream=True, model="us.m-v1:0"):
    found = find_address(
        Connection(url=url, region="eu-west-1"), WireRequest(api=api, model_id=model, stream=stream, body={})
    )
    return f"{found.scheme}://{found.authority}{found.path}"


RUNTIME = "https://bedrock-runtime.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("api", "stream", "expected"),
    [
        ("invoke", True, f"{RUNTIME}/model/us.m-v1%3A0/invoke-with-response-stream"),
        ("invoke", False, f"{RUNTIME}/model/us.m-v1%3A0/invoke"),
        ("converse", True, f"{RUNTIME}/model/us.m-v1%3A0/converse-stream"),
        ("converse", False, f"{RUNTIME}/model/us.m-v1%3A0/converse"),
        ("messages", True, f"{RUNTIME}/anthropic/v1/messages"),
        ("openai", False, f"{RUNTIME}/openai/v1/chat/completions"),
        ("mantle", True, "https://bedrock-mantle.eu-west-1.api.aws/anthropic/v1/messages"),
    ],
)
def test_each_api_has_its_own_aws_url(api, stream, expected):
    assert expected == _url(api, stream=stream)


def test_an_arn_is_a_single_path_segment():
    assert _url("converse", model=ARN).split("/")[4] == ARN.replace(":", "%3A").replace("/", "%2F")


@pytest.mark.parametrize("api", ["invoke", "messages", "mantle", "openai"])
@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9000", "https://gateway.example/team/a", "https://gateway.example:444", "http://[::1]:9"]
)
def test_paths_are_appended_to_the_path_of_the_endpoint_url(api, url):
    paths = {
        "invoke": "/model/us.m-v1%3A0/invoke-with-response-stream",
        "messages": "/anthropic/v1/messages",
        "mantle": "/anthropic/v1/messages",
        "openai": "/v1/chat/completions",
    }
    assert _url(api, url=url) == url + paths[api]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8000", "http://localhost:8000/v1/chat/completions"),
        ("http://localhost:8000/v1", "http://localhost:8000/v1/chat/completions"),
        ("https://h.example/openai/v1", "https://h.example/openai/v1/chat/completions"),
        (
            "https://vpce-1.bedrock-runtime.eu-west-1.vpce.amazonaws.com",
            "https://vpce-1.bedrock-runtime.eu-west-1.vpce.amazonaws.com/openai/v1/chat/completions",
        ),
        ("https://notamazonaws.com", "https://notamazonaws.com/v1/chat/completions"),
    ],
)
def test_chat_completions_use_the_path_of_the_server(url, expected):
    assert expected == _url("openai", url=url)
