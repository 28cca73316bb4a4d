from typing import get_args

import msgspec
import pytest

from harness.endpoints.base import ErrorKind
from harness.endpoints.failures import (
    CODES,
    EXCEPTIONS,
    MAX_MESSAGE,
    MESSAGES,
    STATUSES,
    clean,
    from_exception,
    from_frame,
    from_response,
)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "ValidationException", "validation"),
        (400, "ServiceQuotaExceededException", "quota_exceeded"),
        (400, "SomethingNewException", "validation"),
        (401, None, "credentials"),
        (403, "AccessDeniedException", "access_denied"),
        (403, "ExpiredTokenException", "credentials"),
        (403, "UnrecognizedClientException", "credentials"),
        (403, "InvalidSignatureException", "credentials"),
        (403, None, "access_denied"),
        (404, "ResourceNotFoundException", "not_found"),
        (404, None, "not_found"),
        (408, "ModelTimeoutException", "model_timeout"),
        (413, None, "validation"),
        (418, None, "validation"),
        (424, "ModelErrorException", "model_error"),
        (424, "ModelStreamErrorException", "model_error"),
        (429, "ThrottlingException", "throttled"),
        (429, "ModelNotReadyException", "unavailable"),
        (429, None, "throttled"),
        (500, "InternalServerException", "server_error"),
        (502, None, "unavailable"),
        (503, "ServiceUnavailableException", "unavailable"),
        (504, None, "unavailable"),
        (507, None, "server_error"),
        (529, None, "unavailable"),
        (302, None, "protocol"),
        (424, "api_error", "model_error"),
        (500, "api_error", "server_error"),
        (503, "server_error", "unavailable"),
        (418, "api_error", "server_error"),
    ],
)
def test_an_http_error_is_named_by_its_code_and_then_by_its_status(status, code, kind):
    header = code and f"{code}:http://internal.amazon.com/coral/com.amazon.bedrock/"
    failure = from_response(status, header, b'{"message":"what happened"}')
    assert (failure.kind, failure.code, failure.message) == (kind, code, "what happened")


@pytest.mark.parametrize(
    ("exception_type", "kind"),
    [
        ("throttlingException", "throttled"),
        ("serviceUnavailableException", "unavailable"),
        ("internalServerException", "server_error"),
        ("validationException", "validation"),
        ("modelTimeoutException", "model_timeout"),
        ("modelStreamErrorException", "stream_error"),
        ("somethingNewException", "stream_error"),
        ("", "stream_error"),
    ],
)
def test_an_exception_frame_is_named_by_its_type(exception_type, kind):
    headers = {":message-type": "exception", ":exception-type": exception_type}
    failure = from_frame(headers, b'{"message":"what happened"}')
    assert failure is not None
    assert (failure.kind, failure.code, failure.message) == (kind, exception_type or None, "what happened")


def test_an_error_frame_carries_its_code_and_message_in_its_headers():
    headers = {":message-type": "error", ":error-code": "Odd", ":error-message": "what happened"}
    failure = from_frame(headers, b"")
    assert failure is not None
    assert (failure.kind, failure.code, failure.message) == ("stream_error", "Odd", "what happened")


def test_an_event_frame_is_not_a_failure_and_a_frame_of_another_type_is():
    assert from_frame({":message-type": "event", ":event-type": "chunk"}, b"") is None
    odd = from_frame({}, b"")
    assert odd is not None
    assert odd.kind == "protocol"


def _lookalike(name, *, base=Exception):
    package, _, class_name = name.partition(".")
    return type(class_name, (base,), {"__module__": f"{package}.deep.inside"})


@pytest.mark.parametrize(("name", "kind"), EXCEPTIONS.items())
def test_an_exception_is_found_by_its_base_class_and_behind_other_exceptions(name, kind):
    special = type("Special", (_lookalike(name),), {})("lost")
    wrapper = RuntimeError("wrapped")
    wrapper.__cause__ = special
    assert from_exception(special).kind == kind
    assert from_exception(wrapper).kind == kind


@pytest.mark.parametrize(("start", "kind"), MESSAGES.items())
def test_an_exception_without_a_class_of_its_own_is_known_by_how_it_begins(start, kind):
    assert from_exception(RuntimeError(start.removeprefix("RuntimeError: ") + " and so on")).kind == kind
    assert from_exception(RuntimeError("elsewhere: " + start)).kind == "internal"


def test_an_error_of_the_messages_api_is_named_by_its_type():
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r"}'
    failure = from_response(529, None, body)
    assert (failure.kind, failure.code, failure.message) == ("unavailable", "overloaded_error", "Overloaded")


def test_an_exception_that_nobody_knows_is_internal_and_named():
    failure = from_exception(KeyError("usage"))
    assert (failure.kind, failure.code, failure.message) == ("internal", "KeyError", "KeyError: 'usage'")


def test_a_failure_inside_a_connect_timeout_is_still_a_connect_timeout():
    timeout = _lookalike("httpx2.ConnectTimeout", base=_lookalike("httpx2.TransportError"))("slow")
    assert from_exception(timeout).kind == "connect_timeout"


def test_a_loop_in_the_chain_of_causes_ends():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert from_exception(first).kind == "internal"


def test_every_row_names_a_kind_of_the_closed_list():
    assert {*CODES.values(), *STATUSES.values(), *EXCEPTIONS.values(), *MESSAGES.values()} <= set(get_args(ErrorKind))


def test_codes_are_looked_up_in_lower_case():
    assert [code for code in CODES if code != code.lower()] == []


@pytest.mark.parametrize(
    "quoted",
    [
        "The Canonical String should have been\nx-amz-security-token:SEKRET\nhost:x",
        "Authorization: AWS4-HMAC-SHA256 Credential=SEKRET/2026, Signature=SEKRET",
        "'authorization': 'Bearer SEKRET'",
        "got bearer SEKRET instead",
        "Credential=SEKRET/us-east-1",
        "X-Api-Key = SEKRET",
        "The Canonical String for this request should have been\n'POST\n/model/m\n\nhost:x\n\nSEKRET'",
        "...\n\nThe String-to-Sign should have been\n'AWS4-HMAC-SHA256\n20261127T000000Z\nSEKRET'",
        "<Error><CanonicalRequest>GET\n/\n\nhost:x\nSEKRET</CanonicalRequest></Error>",
        "<StringToSign>AWS4-HMAC-SHA256\nSEKRET</StringToSign>",
        "https://b.s3.amazonaws.com/k?X-Amz-Security-Token=SEKRET&X-Amz-Signature=SEKRET",
        "k%3FX-Amz-Credential%3DSEKRET%26X-Amz-Signature%253DSEKRET",
        f"token IQoJb3JpZ2lu{'x' * 60}SEKRET was refused",
        "assertion eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.SEKRET was refused",
    ],
)
def test_a_quoted_credential_never_reaches_a_record(quoted):
    body = msgspec.json.encode({"message": quoted})
    assert "SEKRET" in quoted
    assert "SEKRET" not in from_response(403, None, body).message
    assert "SEKRET" not in from_exception(RuntimeError(quoted)).message
    assert "SEKRET" not in from_response(502, None, quoted.encode()).message


def test_key_ids_and_bedrock_keys_are_redacted():
    assert "AKIA" not in clean("key AKIAABCDEFGHIJKLMNOP is unknown")
    assert "ABSK" not in clean("key ABSKQmVkcm9ja0FQSUtleQ== is unknown")


def test_a_message_is_short_valid_text_whatever_was_sent():
    assert len(from_response(500, "x" * 10_000, b"y" * 10_000_000).message) == MAX_MESSAGE
    assert from_response(500, None, b"\xff\xfe").message.encode()
    assert clean("\ud83d").encode() == b"?"
    assert from_response(500, None, b"").message == "HTTP 500 without a message"
