"""Uploads: whole or seen not to be, repeated without sending again, and safe beside a second uploader."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from harness.errors import StoreError
from harness.store.bucket.errors import BucketError
from harness.store.bucket.objects import PART_BYTES, Connection, open_bucket
from harness.store.bucket.runs import RemoteRun, describe_remote_run
from harness.store.bucket.upload import upload_run
from tests.s3 import GONE, S3

MANIFEST, INVENTORY = "manifest.json", ".inventory.json"


def sent(s3: S3) -> list[str]:
    """The names of the objects that were written, in order, inside the run."""
    return [each.rpartition("-nightly/")[2] for each in s3.requests if each.startswith("PUT")]


def remote(connection: Connection, run: Path) -> RemoteRun:
    found = connection.run(describe_remote_run(connection.bucket, run.name))
    assert found is not None
    return found


def test_the_manifest_and_then_the_inventory_are_uploaded_last(s3: S3, connection: Connection, run: Path) -> None:
    uploaded = connection.run(upload_run(connection.bucket, run))
    assert ({"summary.json", "plots/errors.png"}, [MANIFEST, INVENTORY]) == (set(sent(s3)[:2]), sent(s3)[2:])
    assert (3, remote(connection, run).trouble) == (uploaded.files, None)
    assert (run / MANIFEST).read_bytes() == s3.get(f"{run.name}/{MANIFEST}")


def test_each_object_has_a_checksum_that_s3_compares(s3: S3, connection: Connection, run: Path) -> None:
    connection.run(upload_run(connection.bucket, run))
    head = s3.client.head_object(Bucket="bench", Key=f"results/{run.name}/plots/errors.png", ChecksumMode="ENABLED")
    assert sha256(b"a picture").hexdigest() == head["Metadata"]["sha256"]
    assert head["ChecksumSHA256"]


def test_nothing_is_sent_twice(s3: S3, connection: Connection, run: Path) -> None:
    connection.run(upload_run(connection.bucket, run))
    s3.requests.clear()
    assert 0 == connection.run(upload_run(connection.bucket, run)).files
    assert [] == sent(s3)


def test_only_what_changed_is_sent(s3: S3, connection: Connection, run: Path) -> None:
    connection.run(upload_run(connection.bucket, run))
    (run / "report.md").write_text("new")
    s3.requests.clear()
    assert 1 == connection.run(upload_run(connection.bucket, run)).files
    assert ["report.md", INVENTORY] == sent(s3)


def test_a_dry_run_counts_and_sends_nothing(s3: S3, connection: Connection, run: Path) -> None:
    assert 3 == connection.run(upload_run(connection.bucket, run, dry_run=True)).files
    assert [] == s3.names()


@pytest.mark.parametrize("last", ["summary.json", MANIFEST, INVENTORY])
def test_an_upload_that_is_cut_off_is_seen_and_goes_on_where_it_stopped(
    s3: S3, connection: Connection, run: Path, last: str
) -> None:
    s3.answer = lambda request: GONE if request.startswith("PUT") and request.endswith(last) else None
    with pytest.raises(BucketError) as caught:
        connection.run(upload_run(connection.bucket, run))
    assert caught.value.away
    if last == MANIFEST:
        expected = "is uploaded only in part: it has no manifest.json yet; `harness sync"
        assert expected in str(remote(connection, run).trouble)
    arrived = {key.partition("/")[2] for key in s3.names()}
    s3.answer = lambda _: None
    s3.requests.clear()
    connection.run(upload_run(connection.bucket, run))
    assert set() == arrived & set(sent(s3))
    assert remote(connection, run).trouble is None


def test_a_change_that_is_cut_off_is_seen(s3: S3, connection: Connection, run: Path) -> None:
    connection.run(upload_run(connection.bucket, run))
    (run / "summary.json").write_text("{}")
    s3.answer = lambda request: GONE if request.startswith("PUT") and request.endswith(INVENTORY) else None
    with pytest.raises(BucketError):
        connection.run(upload_run(connection.bucket, run))
    assert "1 of its 3 files are missing or of another version; `harness sync" in str(remote(connection, run).trouble)


@pytest.mark.parametrize("content", [None, b"y pictur?"], ids=["deleted", "other"])
def test_what_somebody_else_changed_in_the_bucket_is_uploaded_again(
    s3: S3, connection: Connection, run: Path, content: bytes | None
) -> None:
    connection.run(upload_run(connection.bucket, run))
    picture = f"{run.name}/plots/errors.png"
    if content is None:
        s3.delete(picture)
    else:
        s3.put_behind(picture, content)
        s3.shift(picture, hours=1)
    assert 1 == connection.run(upload_run(connection.bucket, run)).files
    assert b"a picture" == s3.get(picture)


def test_a_bucket_that_was_copied_is_read_although_the_inventory_is_the_oldest(
    s3: S3, connection: Connection, run: Path
) -> None:
    connection.run(upload_run(connection.bucket, run))
    s3.shift(f"{run.name}/{INVENTORY}", hours=-1)
    assert remote(connection, run).trouble is None
    assert 0 == connection.run(upload_run(connection.bucket, run)).files


def test_of_two_uploaders_the_second_to_end_compares_again(s3: S3, connection: Connection, run: Path) -> None:
    """The other one writes its inventory, without the picture, right before this one's arrives."""
    other = json.dumps({MANIFEST: {"size": 1, "sha256": "0" * 64}}).encode()
    waiting = [other]

    def answer(request: str) -> None:
        if request == f"PUT /bench/results/{run.name}/{INVENTORY}" and waiting:
            s3.put_behind(f"{run.name}/{INVENTORY}", waiting.pop())

    s3.answer = answer
    connection.run(upload_run(connection.bucket, run))
    assert [INVENTORY, INVENTORY] == [each for each in sent(s3) if each == INVENTORY]
    assert remote(connection, run).trouble is None


async def test_many_uploads_at_once_of_one_run_leave_it_whole(s3: S3, run: Path, tmp_path: Path) -> None:
    from shutil import copytree

    from harness.store.bucket.address import parse_address

    copies = [Path(copytree(run, tmp_path / f"other-{i}" / run.name)) for i in range(4)]
    for i, copy in enumerate(copies):
        (copy / "gate.md").write_text(f"{i}")
    async with open_bucket(parse_address("s3://bench/results")) as bucket:
        await asyncio.gather(*(upload_run(bucket, copy) for copy in copies))
        found = await describe_remote_run(bucket, run.name)
        assert found is not None
        assert found.trouble is None
        assert sha256(s3.get(f"{run.name}/gate.md")).hexdigest() == found.files["gate.md"].sha256


def test_files_that_only_the_bucket_has_stay_but_no_journal_of_a_run_that_ended(
    s3: S3, connection: Connection, run: Path
) -> None:
    for name in ("attempts.jsonl", "gate.md"):
        (run / name).write_text("x")
    connection.run(upload_run(connection.bucket, run))
    for name in ("attempts.jsonl", "gate.md"):
        (run / name).unlink()
    connection.run(upload_run(connection.bucket, run))
    assert {MANIFEST, "summary.json", "plots/errors.png", "gate.md"} == remote(connection, run).files.keys()


def test_links_and_hidden_files_stay_here(s3: S3, connection: Connection, run: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of somebody")
    (run / "link").symlink_to(tmp_path / "secret")
    (run / "plots" / "folder").symlink_to(tmp_path)
    (run / ".hidden").write_text("x")
    connection.run(upload_run(connection.bucket, run))
    assert {MANIFEST, INVENTORY, "summary.json", "plots/errors.png"} == {k.partition("/")[2] for k in s3.names()}


def test_a_run_with_more_attempts_is_not_replaced(s3: S3, connection: Connection, run: Path) -> None:
    manifest = json.loads((run / MANIFEST).read_text())
    (run / MANIFEST).write_text(json.dumps({**manifest, "attempts": 580}))
    connection.run(upload_run(connection.bucket, run))
    (run / MANIFEST).write_text(json.dumps({**manifest, "attempts": 100}))
    with pytest.raises(
        StoreError, match="has 100 attempts, and s3://bench/results/0000-nightly has 580; left as it is"
    ):
        connection.run(upload_run(connection.bucket, run))
    assert 580 == json.loads(s3.get(f"{run.name}/{MANIFEST}"))["attempts"]


def test_a_large_file_goes_in_parts(s3: S3, connection: Connection, run: Path, tmp_path: Path) -> None:
    content = bytes(range(256)) * (PART_BYTES // 256 + 1)
    (run / "attempts.parquet").write_bytes(content)
    connection.run(upload_run(connection.bucket, run))
    assert any(each.startswith("POST") for each in s3.requests)
    file = remote(connection, run).files["attempts.parquet"]
    name, path = f"{run.name}/attempts.parquet", tmp_path / "again"
    connection.run(connection.bucket.download(name, path, size=file.size, sha256=file.sha256))
    assert content == path.read_bytes()


def test_a_damaged_inventory_is_replaced(
    s3: S3, connection: Connection, run: Path, past_runs: Callable[..., object]
) -> None:
    s3.put(f"{run.name}/{INVENTORY}", b"{")
    connection.run(upload_run(connection.bucket, run))
    assert remote(connection, run).trouble is None
