from __future__ import annotations

import pytest

from harness.errors import SuiteError
from harness.secrets import remember
from harness.suite.from_log.redact import Redactor, is_iban, passes_luhn
from tests.timing import assert_linear


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to bob.o'neil+x@mail.example.co.uk.", "write to [email]."),
        ("call +49 30 1234567 or (212) 555-0123", "call [phone] or [phone]"),
        ("030 123456, 0171-1234567, 00441632960960", "[phone], [phone], [phone]"),
        ("4111 1111 1111 1111 12 and 378282246310005", "[card] 12 and [card]"),
        ("DE89 3704 0044 0532 0130 00 AND MORE", "[iban] AND MORE"),
        ("pay GB29NWBK60161331926819.", "pay [iban]."),
        ("AKIAIOSFODNN7EXAMPLE", "[aws-key]"),
        ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "[aws-secret]"),
        ("export AWS_SESSION_TOKEN=FwoGZXIvYXdzEJr+/w==; ls", "export AWS_SESSION_TOKEN=[aws-token]; ls"),
        ('{"aws_session_token": "short-but-named", "a": 1}', '{"aws_session_token": "[aws-token]", "a": 1}'),
        (f"the token IQoJb3JpZ2luX2Vj{'Qw/+' * 80}== of STS", "the token [aws-token] of STS"),
        ("sk-ant-api03-abcDEF_123-xyzXYZ", "[anthropic-key]"),
        ("ABSKQmVkcm9ja0FQSUtleS1hYmNk and", "[aws-key] and"),
        ("X-Amz-Security-Token: short-but-named", "X-Amz-Security-Token: [aws-token]"),
        ("https://b.s3/k?X-Amz-Security-Token=a%2Fb&x=1", "https://b.s3/k?X-Amz-Security-Token=[aws-token]&x=1"),
        (f"push with ghp_{'aB3' * 12}, or github_pat_{'11ABC_' * 6}", "push with [github-token], or [github-token]"),
        ("it is eyJhbGciOiJI.eyJzdWIiOiIx.sig-na_ture!", "it is [web-token]!"),
        ("Authorization: Bearer opaque", "Authorization: [authorization]"),
        ("curl -H 'authorization: Basic bWU6cHc=' x", "curl -H 'authorization: [authorization]' x"),
        ('{"Authorization": "token abc", "b": 1}', '{"Authorization": "[authorization]", "b": 1}'),
        (
            "Authorization: AWS4-HMAC-SHA256 Credential=A/b, Signature=c\nHost: x",
            "Authorization: [authorization]\nHost: x",
        ),
        ("x-api-key: my-own-key", "x-api-key: [authorization]"),
        ("with the bearer opaque-0123456789-token", "with the bearer [bearer-token]"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nand more",
            "[private-key]\nand more",
        ),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn the rest was cut", "[private-key]"),
    ],
)
def test_what_tells_of_people_and_accounts_is_taken_out(text: str, expected: str) -> None:
    assert expected == Redactor().redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "on 2024-01-01 at 12:00:00, for 1234.56 at 192.168.100.200",
        "4111111111111112 is no card, 1763779428123456789 is a time",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709 and 3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "an @mention, and a+b",
        "GB00 NWBK 6016 1331 9268 19",
        "Authorization: required for every caller; the bearer of bad news is not responsible for it",
        "bearer incontrovertiblenonsense",
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
        "the file eyJhbGciOiJI.json and ghp_short and sk-ant-short",
        "set AWS_SESSION_TOKEN before you start",
    ],
)
def test_other_numbers_stay(text: str) -> None:
    assert text == Redactor().redact(text)


def test_a_users_patterns_go_first_and_everything_is_counted() -> None:
    redactor = Redactor([r"ACME-\d+", "(?i)zebra"])
    assert "[pattern] [pattern] [email] [email]" == redactor.redact("ACME-12 Zebra a@b.org c@d.org")
    assert {"pattern": 2, "email": 2} == {kind: count for kind, count in redactor.counts.items() if count}


def test_the_secrets_of_this_process_go_first_and_are_counted() -> None:
    remember("of-this-process-a@b.org")
    redactor = Redactor(["process"])
    assert "it is [redacted] of [pattern]" == redactor.redact("it is of-this-process-a@b.org of process")
    assert {"secret": 1, "pattern": 1} == {kind: count for kind, count in redactor.counts.items() if count}


def test_a_pattern_that_is_invalid_is_reported() -> None:
    with pytest.raises(SuiteError, match=r"--redact: the pattern '\(' is not a regular expression"):
        Redactor(["("])


def test_luhn_and_iban_hold_for_the_standards_own_examples() -> None:
    assert passes_luhn("4242 4242 4242 4242")
    assert not passes_luhn("4242 4242 4242 4241")
    assert is_iban("FR14 2004 1010 0505 0001 3M02 606")
    assert not is_iban("FR14 2004 1010 0505 0001 3M02 607")


@pytest.mark.parametrize(
    "junk",
    [
        "a." * 50_000,
        "+1 " * 25_000,
        "DE89 " * 10_000,
        "@a." * 25_000,
        "1 " * 50_000,
        "-----BEGIN PRIVATE KEY-----" * 4_000,
        "eyJaaaaaaaa." * 9_000,
        "bearer a" * 9_000,
    ],
)
def test_a_text_that_is_ten_times_as_long_takes_about_ten_times_as_long(junk: str) -> None:
    assert_linear(Redactor().redact, junk[: len(junk) // 10], junk)


@pytest.mark.parametrize(
    "text",
    [
        "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "export key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY now",
        "key_AKIAIOSFODNN7EXAMPLE",
    ],
)
def test_a_key_in_an_assignment_is_taken_out(text: str) -> None:
    redacted = Redactor(()).redact(text)
    assert "wJalr" not in redacted
    assert "AKIA" not in redacted
