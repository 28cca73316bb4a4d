import pytest

from harness.endpoints.address import is_loopback, make_connection
from harness.errors import EndpointError


def connect(endpoint: str) -> object:
    return make_connection(endpoint, region="us-east-1", pool_size=8, connect_timeout_s=1.0)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:9000", True),
        ("http://127.8.8.8", True),
        ("http://[::1]:80", True),
        ("http://localhost:9000", True),
        ("https://LOCALHOST", True),
        ("https://localhost.", True),
        ("https://a.localhost", True),
        ("https://127.1", True),
        ("http://2130706433", True),
        ("https://0x7f000001", True),
        ("https://0.0.0.0", True),
        ("https://[::ffff:127.0.0.1]", True),
        ("http://127.0.0.1.example.com", False),
        ("http://localhost.example.com", False),
        ("http://10.0.0.1", False),
        ("https://bedrock-runtime.us-east-1.amazonaws.com", False),
        ("http://[", False),
    ],
)
def test_loopback_is_reported_by_the_host_alone(url: str, expected: bool) -> None:
    assert expected == is_loopback(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000", "http://localhost:1", "http://[::1]:9000"])
def test_a_loopback_endpoint_gets_made_up_credentials(url: str) -> None:
    connection = make_connection(url, region="us-east-1", pool_size=8, connect_timeout_s=1.0)
    assert (url, True) == (connection.url, connection.made_up_credentials)


@pytest.mark.parametrize("endpoint", ["aws", "https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com"])
def test_any_other_endpoint_is_aws_with_the_normal_credentials(endpoint: str) -> None:
    connection = make_connection(endpoint, region="us-east-1", pool_size=8, connect_timeout_s=1.0)
    assert not connection.made_up_credentials
    assert (None if endpoint == "aws" else endpoint) == connection.url


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "AWS",
        "127.0.0.1:9000",
        "ftp://127.0.0.1",
        "http://",
        "http://127.0.0.1:99999",
        "HTTP://127.0.0.1:9",
        "http://127.0.0.1:9/ x",
    ],
)
def test_what_is_not_a_url_is_refused_with_an_example(endpoint: str) -> None:
    with pytest.raises(EndpointError, match=r"write for example http://127\.0\.0\.1:9000"):
        connect(endpoint)


def test_signed_requests_never_leave_the_machine_unencrypted() -> None:
    with pytest.raises(EndpointError, match="unencrypted; use https://"):
        connect("http://bedrock.example.com")


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(EndpointError) as caught:
        connect("https://user:canary-7f3a@example.com")
    assert "canary-7f3a" not in str(caught.value)
