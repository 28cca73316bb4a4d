from __future__ import annotations

import asyncio
import json

import pytest

from harness.errors import StoreError
from harness.store.baselines import with_baseline
from harness.store.bucket.address import parse_address
from harness.store.bucket.baselines import change_baselines, read_baselines_of
from harness.store.bucket.objects import Bucket, Connection, open_bucket
from tests.s3 import ADDRESS, S3


async def set_baseline(bucket: Bucket, suite: str, run: str) -> None:
    await change_baselines(bucket, lambda stored: with_baseline(stored, suite, "default", run))


async def test_of_eight_writers_at_once_none_is_lost(s3: S3) -> None:
    async with open_bucket(parse_address(ADDRESS)) as bucket:
        await asyncio.gather(*(set_baseline(bucket, f"suite-{i}", f"run-{i}") for i in range(8)))
        stored = await read_baselines_of(bucket)
    assert {f"suite-{i}": {"default": f"run-{i}"} for i in range(8)} == stored


def test_a_write_in_between_is_kept(s3: S3, connection: Connection) -> None:
    others = [b'{"a": {"default": "first"}}', b'{"a": {"default": "second"}}']

    def answer(request: str) -> None:
        if request.startswith("PUT") and others:
            s3.put_behind("baselines.json", others.pop(0))

    s3.answer = answer
    connection.run(set_baseline(connection.bucket, "b", "mine"))
    assert {"a": {"default": "second"}, "b": {"default": "mine"}} == json.loads(s3.get("baselines.json"))


def test_nothing_is_written_that_is_there_already(s3: S3, connection: Connection) -> None:
    for _ in range(2):
        connection.run(set_baseline(connection.bucket, "a", "run"))
    assert 1 == sum(each.startswith("PUT") for each in s3.requests)


def test_endless_writers_end_in_an_error(s3: S3, connection: Connection) -> None:
    def answer(request: str) -> tuple[int, str, str] | None:
        return (412, "PreconditionFailed", "x") if request.startswith("PUT") else None

    s3.answer = answer
    with pytest.raises(StoreError, match=r"results/baselines\.json: others keep writing it; try again"):
        connection.run(set_baseline(connection.bucket, "a", "run"))


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"a": {"default": "../x"}}', b"{" * 100_000])
def test_what_is_no_list_of_baselines_is_not_replaced(s3: S3, connection: Connection, content: bytes) -> None:
    s3.put("baselines.json", content)
    with pytest.raises(StoreError, match="delete it and set the baselines again"):
        connection.run(set_baseline(connection.bucket, "a", "run"))
    assert content == s3.get("baselines.json")
