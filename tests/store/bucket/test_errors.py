"""Each way in which a bucket cannot be used ends in one line that says what to do."""

from __future__ import annotations

import re

import pytest

from harness.errors import StoreError
from harness.store.bucket.address import parse_address
from harness.store.bucket.errors import BucketError
from harness.store.bucket.objects import Connection, connect_bucket
from tests.s3 import ADDRESS, DENIED, GONE, S3, Answer

CASES: list[tuple[Answer, bool, str]] = [
    (DENIED, False, "not permitted: s3:ListBucket on arn:aws:s3:::bench (AccessDenied: User: arn:aws:iam::123456789012:"
     "user/dev is not authorized); allow it, see docs/s3.md"),
    ((404, "NoSuchBucket", "x"), False, "there is no bucket 'bench'; check its name, or create it (`aws s3 mb s3://bench`)"),
    ((403, "ExpiredToken", "The token has expired"), False, "the AWS credentials have expired"),
    ((403, "InvalidAccessKeyId", "no such key"), False, "AWS refuses the credentials (InvalidAccessKeyId"),
    ((403, "SignatureDoesNotMatch", "x"), False, "AWS refuses the credentials (SignatureDoesNotMatch"),
    ((400, "IllegalLocationConstraintException", "x"), False, "the bucket is in another Region; set AWS_REGION"),
    ((503, "SlowDown", "Reduce your rate"), True, "S3 does not work at the moment (SlowDown: Reduce your rate)"),
    ((500, "InternalError", "x"), True, "S3 does not work at the moment (InternalError: x)"),
    ((400, "Odd\x1b[2J", "x" * 5000), False, "s3:ListObjectsV2 failed (400: Bad Request)"),
    ((400, "Odd", "x" * 5000), False, "s3:ListObjectsV2 failed (Odd: xxx"),
    ((404, "<html>", "not XML"), False, "s3:ListObjectsV2 failed (404: Not Found)"),
    (GONE, True, "s3 in this Region is not available"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "away", "message"), CASES)
def test_what_s3_answers_is_told_in_one_line(
    s3: S3, connection: Connection, answer: Answer, away: bool, message: str
) -> None:
    s3.answer = lambda _: answer
    with pytest.raises(BucketError) as caught:
        connection.run(connection.bucket.list_objects())
    told = str(caught.value)
    assert told.startswith(f"{ADDRESS}: {message}")
    assert told.isprintable()
    assert len(told) < 600
    assert away == caught.value.away


def test_each_operation_names_its_action_and_the_objects(s3: S3, connection: Connection) -> None:
    s3.answer = lambda _: DENIED
    bucket = connection.bucket
    for asking, action in (
        (bucket.read("x", max_bytes=1), "s3:GetObject"),
        (bucket.uploaded_sha256("x"), "s3:GetObject"),
        (bucket.write("x", b"", instead_of=None), "s3:PutObject"),
    ):
        expected = re.escape(f"not permitted: {action} on arn:aws:s3:::bench/results/* (")
        with pytest.raises(StoreError, match=expected):
            connection.run(asking)


def test_an_endpoint_that_does_not_answer_is_away(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with connect_bucket(parse_address(ADDRESS)) as connection, pytest.raises(BucketError) as caught:
        connection.run(connection.bucket.check())
    assert caught.value.away
    assert "Could not connect to the endpoint URL" in str(caught.value)


def test_without_credentials_the_message_says_how_to_set_them(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with connect_bucket(parse_address(ADDRESS)) as connection, pytest.raises(BucketError) as caught:
        connection.run(connection.bucket.check())
    assert str(caught.value).startswith(f"{ADDRESS}: no AWS credentials were found; set AWS_PROFILE, or AWS_ACCESS_KEY")
    assert not caught.value.away


def test_an_unknown_profile_is_named(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(BucketError, match="there is no AWS profile 'nobody'"), connect_bucket(parse_address(ADDRESS)):
        pass
