from __future__ import annotations

import html
import io
import json
from base64 import b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.secrets import MAX_RESOLVED, RedactedStream, Secrets, is_distinctive, remember
from tests.timing import assert_linear

TOKEN = "IQoJb3JpZ2luX2VjEHoaCXVz/LWVhc3QtMSJH+MEUCIQDk=="
KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SPELLINGS = {
    "as it is": str,
    "JSON": lambda value: json.dumps(value)[1:-1],
    "JSON with escaped slashes": lambda value: json.dumps(value)[1:-1].replace("/", "\\/"),
    "JSON in JSON": lambda value: json.dumps(json.dumps(value)[1:-1])[1:-1],
    "JSON, all but letters and digits escaped": lambda value: "".join(
        c if c.isascii() and c.isalnum() else json.dumps(c)[1:-1] if ord(c) > 0xFFFF else f"\\u{ord(c):04X}"
        for c in value
    ),
    "URL": lambda value: quote(value, safe=""),
    "URL with slashes": quote,
    "form": quote_plus,
    "URL in lower case": lambda value: "".join(quote(c, safe="").lower() if not c.isalnum() else c for c in value),
    "URL in a URL": lambda value: quote(quote(value, safe=""), safe=""),
    "HTML": html.escape,
    "HTML by number": lambda value: "".join(c if c.isascii() and c.isalnum() else f"&#{ord(c)};" for c in value),
    "Latin-1": lambda value: value.encode().decode("latin-1"),
}
"""How others write a value down. (Python's `repr` of text is in JSON's spellings.)"""


def knowing(*values: str, **environ: str) -> Secrets:
    secrets = Secrets()
    secrets.remember(*values)
    secrets.remember_environment(environ)
    return secrets


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("value", [TOKEN, KEY, 'p"a\\ss wörd&1€', "!!!!====////", "\\\\back\\\\slashes\\"])
def test_a_value_is_taken_out_in_every_spelling(value: str, spelling: str) -> None:
    written = SPELLINGS[spelling](value)
    assert "it was [redacted], they say" == knowing(value).redact(f"it was {written}, they say")


@settings(max_examples=40)
@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=0x2FFF), min_size=12, max_size=40),
    st.sampled_from(sorted(SPELLINGS)),
)
@example("a\\\\\\\\\\\\\\\\\\\\\\\\b", "JSON in JSON")
def test_no_value_gets_through_in_any_spelling(value: str, spelling: str) -> None:
    written = SPELLINGS[spelling](value)
    assert written not in knowing(value).redact(f"<{written}>")


def test_what_stands_around_a_value_stays() -> None:
    assert '{"a": "[redacted]", "b": 1}' == knowing(TOKEN).redact(f'{{"a": "{TOKEN}", "b": 1}}')
    assert f"{TOKEN[:-9]} is not it" == knowing(TOKEN).redact(f"{TOKEN[:-9]} is not it")


def test_a_value_that_holds_another_goes_first() -> None:
    assert "[redacted]!" == knowing("inside-1234", "around-inside-1234-around").redact("around-inside-1234-around!")


def test_the_environments_variables_are_known() -> None:
    secrets = knowing(
        AWS_SECRET_ACCESS_KEY=KEY,
        AWS_SESSION_TOKEN=TOKEN,
        AWS_BEARER_TOKEN_BEDROCK="ABSKbearer-1234",
        ANTHROPIC_API_KEY="sk-ant-api03-abcdef",
        ANTHROPIC_CUSTOM_HEADERS="X-Gateway-Key: gateway-1234\nAuthorization: Bearer custom-1234\n"
        "anthropic-beta: computer-use-2025-01-24",
        PATH="/usr/bin:/usr/local/bin",
        AWS_REGION="eu-central-1",
    )
    text = f"{KEY} {TOKEN} ABSKbearer-1234 sk-ant-api03-abcdef gateway-1234 custom-1234"
    assert " ".join(["[redacted]"] * 6) == secrets.redact(text)
    for harmless in ("computer-use-2025-01-24", "/usr/bin:/usr/local/bin", "eu-central-1"):
        assert harmless == secrets.redact(harmless)


def test_what_a_collector_and_a_webhook_are_sent_with_is_known() -> None:
    known = knowing(
        OTEL_EXPORTER_OTLP_HEADERS="api-key=collector-1234,authorization=Bearer%20traces%2F5678",
        OTEL_EXPORTER_OTLP_METRICS_HEADERS="x=metrics-1234",
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="https://team:endpoint-1234@collector.example/v1/traces?key=query-5678&a=b",
        HARNESS_WEBHOOK_URL="https://hooks.example/services/T0/secret-path",
    )
    values = ("collector-1234", "traces/5678", "traces%2F5678", "metrics-1234", "endpoint-1234", "query-5678")
    assert ["[redacted]"] * len(values) == [known.redact(value) for value in values]
    assert "POST [redacted]" == known.redact("POST https://hooks.example/services/T0/secret-path")
    assert "https://collector.example/v1/traces" == known.redact("https://collector.example/v1/traces")


def test_the_environment_is_known_as_it_is_now() -> None:
    secrets = knowing(AWS_SESSION_TOKEN=TOKEN)
    secrets.remember_environment({})
    assert TOKEN == secrets.redact(TOKEN)


def test_a_token_in_a_file_that_the_environment_names_is_known(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "token").write_text("eyJhbGciOi.web-identity\n")
    files = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"), "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/none"}
    assert "[redacted]" == knowing(**files).redact("eyJhbGciOi.web-identity")


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("password", ["s@cret-1234", "s3cr/t:pass", "päss+1234"])
def test_a_proxys_password_is_known_raw_encoded_decoded_and_as_http_sends_it(name: str, password: str) -> None:
    secrets = knowing(**{name: f"http://me:{quote(password, safe='')}@proxy:3128"})
    basic = b64encode(f"me:{password}".encode()).decode()
    for written in (password, quote(password), quote(password, safe=""), quote(password, safe="").lower(), basic):
        assert "407 [redacted] refused" == secrets.redact(f"407 {written} refused")


@pytest.mark.parametrize("written", ["http://me:se/cret-1234@proxy:1", "me:se/cret-1234@proxy:1"])
def test_a_password_that_should_have_been_encoded_is_known_too(written: str) -> None:
    assert "[redacted]" == knowing(HTTPS_PROXY=written).redact("se/cret-1234")


def test_a_key_in_the_users_place_is_known() -> None:
    assert "[redacted]" == knowing(HTTPS_PROXY="http://key-12345@proxy").redact("key-12345")
    assert "[redacted]" == knowing(HTTPS_PROXY="http://longer-key-123456789:x@proxy").redact("longer-key-123456789")
    assert "work-laptop" == knowing(HTTPS_PROXY="http://work-laptop:s3cret-1234@proxy").redact("work-laptop")


@pytest.mark.parametrize("password", ["a", "changeit", "1234567"])
def test_a_short_or_plain_password_is_known_only_where_it_stands_as_one(password: str) -> None:
    secrets = knowing(HTTPS_PROXY=f"http://me:{password}@proxy:3128")
    text = f"a changeit 1234567 answer of {password}"
    assert text == secrets.redact(text)
    assert "http://[redacted]proxy:3128" == secrets.redact(f"http://me:{password}@proxy:3128")
    basic = b64encode(f"me:{password}".encode()).decode()
    assert basic not in secrets.redact(f"Proxy-Authorization: Basic {basic}")


def test_values_resolved_at_run_time_are_known_up_to_a_number() -> None:
    secrets = Secrets()
    for i in range(MAX_RESOLVED + 5):
        secrets.remember(f"session-token-{i:04d}", None, "")
    assert "session-token-0004" == secrets.redact("session-token-0004")
    assert (
        "[redacted]" == secrets.redact("session-token-0005") == secrets.redact(f"session-token-{MAX_RESOLVED + 4:04d}")
    )


@pytest.mark.parametrize(
    ("value", "expected"), [("changeit", False), ("change-1", True), ("c" * 12, True), ("c-1", False)]
)
def test_what_stands_out_from_other_text_is_distinctive(value: str, expected: bool) -> None:
    assert expected == is_distinctive(value)


@pytest.mark.parametrize("junk", ["\\" * 50_000, "%25" * 17_000, "&amp;" * 10_000, "-" * 50_000])
def test_a_text_that_is_ten_times_as_long_takes_about_ten_times_as_long(junk: str) -> None:
    assert_linear(
        knowing("-\\%&core\\\\%-12").redact, *(f"{part}core{part}" for part in (junk[: len(junk) // 10], junk))
    )


def test_what_a_stream_is_given_to_print_is_redacted() -> None:
    remember("printed-secret-1234")
    out = io.StringIO()
    print("see printed-secret-1234", file=RedactedStream(out))  # type: ignore[arg-type]
    assert "see [redacted]\n" == out.getvalue()
