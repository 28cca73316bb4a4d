"""What is fetched of a bucket: what is needed and new, and never to outside the cache, whoever made the keys."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from harness.errors import StoreError
from harness.store.bucket.address import parse_address
from harness.store.bucket.download import download_run
from harness.store.bucket.errors import BucketError, DamagedRun
from harness.store.bucket.mirror import Mirror, make_cache_folder
from harness.store.bucket.objects import Connection
from harness.store.bucket.runs import list_remote_runs
from harness.store.bucket.upload import upload_run
from harness.store.run_folder import RunFolder
from tests.s3 import ADDRESS, S3

Fetch = Callable[..., Mirror]


@pytest.fixture
def cache(tmp_path: Path, connection: Connection) -> Path:
    return make_cache_folder(parse_address(ADDRESS), connection.bucket.endpoint)


@pytest.fixture
def fetch(connection: Connection, cache: Path) -> Fetch:
    """`fetch("manifest.json")`: a mirror with these files of all runs; without names, with all files."""

    def fetch(*names: str) -> Mirror:
        mirror = Mirror(connection.bucket, cache)
        connection.run(mirror.refresh())
        connection.run(mirror.fetch(mirror.remote.readable(), names or None))
        return mirror

    return fetch


class Uploaded(NamedTuple):
    runs: list[RunFolder]
    names: list[str]


@pytest.fixture
def uploaded(connection: Connection, past_runs: Callable[..., list[RunFolder]], tmp_path: Path, s3: S3) -> Uploaded:
    """Three runs, uploaded."""
    runs = past_runs(tmp_path / "results", 3)
    for run in runs:
        connection.run(upload_run(connection.bucket, run.path))
    s3.requests.clear()
    return Uploaded(runs, [run.path.name for run in runs])


def got(s3: S3) -> list[str]:
    return [each.removeprefix("GET /bench/results/") for each in s3.requests if each.startswith("GET /bench/results/")]


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_only_what_is_needed_and_new_is_fetched(s3: S3, uploaded: Uploaded, fetch: Fetch, cache: Path) -> None:
    mirror = fetch("summary.json")
    assert {f"{name}/summary.json" for name in uploaded.names} | {".mirror.json"} == files_in(cache)
    assert [] == mirror.troubles()
    s3.requests.clear()
    fetch("summary.json")
    assert ["GET /bench"] == s3.requests
    fetch("manifest.json", "summary.json")
    assert {f"{name}/manifest.json" for name in uploaded.names} == set(got(s3))
    assert uploaded.runs[0].read_manifest() == RunFolder(cache / uploaded.names[0]).read_manifest()


def test_a_changed_run_is_fetched_again_and_a_deleted_one_is_removed(
    s3: S3, connection: Connection, uploaded: Uploaded, fetch: Fetch, cache: Path
) -> None:
    fetch()
    (uploaded.runs[0].path / "summary.json").write_text("{}")
    connection.run(upload_run(connection.bucket, uploaded.runs[0].path))
    for key in s3.names():
        if key.startswith(uploaded.names[1]):
            s3.delete(key)
    s3.requests.clear()
    fetch()
    assert {f"{uploaded.names[0]}/.inventory.json", f"{uploaded.names[0]}/summary.json"} == set(got(s3))
    assert ("{}", False) == (
        (cache / uploaded.names[0] / "summary.json").read_text(),
        (cache / uploaded.names[1]).exists(),
    )


def test_a_file_that_was_changed_here_is_fetched_again(uploaded: Uploaded, fetch: Fetch, cache: Path) -> None:
    fetch()
    summary = cache / uploaded.names[0] / "summary.json"
    before = summary.read_text()
    summary.write_text("changed")
    fetch()
    assert before == summary.read_text()


def test_a_copy_that_another_program_made_is_read_by_its_etags(s3: S3, run: Path, fetch: Fetch, cache: Path) -> None:
    for path in run.rglob("*.*"):
        s3.put(path.relative_to(run.parent).as_posix(), path.read_bytes())
    assert [] == fetch().troubles()
    s3.requests.clear()
    fetch()
    assert [] == got(s3)
    s3.put(f"{run.name}/summary.json", b"{}")
    fetch()
    assert [f"{run.name}/summary.json"] == got(s3)


def test_content_that_is_not_the_inventorys_is_left_out(s3: S3, uploaded: Uploaded, fetch: Fetch, cache: Path) -> None:
    size = len(s3.get(f"{uploaded.names[0]}/summary.json"))
    s3.put(f"{uploaded.names[0]}/summary.json", b"x" * size)
    (trouble,) = fetch().troubles()
    assert trouble.startswith(f"{ADDRESS}/{uploaded.names[0]}/summary.json: is not what its run's inventory says")
    assert uploaded.names[1:] == sorted(path.name for path in cache.glob("*/"))


@pytest.mark.parametrize(
    ("inventory", "why"),
    [
        (b"[]", "is not an inventory of a run"),
        (b"{" * 100_000, "is not an inventory of a run"),
        (json.dumps({"../../x": {"size": 1, "sha256": "0" * 64}}).encode(), "names files that would lie outside"),
        (json.dumps({"manifest.json": {"size": 1 << 62, "sha256": "0" * 64}}).encode(), "1 of its 1 file are missing"),
        (b"{}", "0 of its 0 files"),
    ],
)
def test_a_hostile_inventory_is_left_out(
    s3: S3, uploaded: Uploaded, fetch: Fetch, cache: Path, inventory: bytes, why: str
) -> None:
    s3.put(f"{uploaded.names[0]}/.inventory.json", inventory)
    (trouble,) = fetch().troubles()
    assert why in trouble
    assert not (cache / uploaded.names[0]).exists()


HOSTILE = [
    "../../../escaped/manifest.json",
    "..%2F..%2Fescaped/../manifest.json",
    "run/../../../escaped",
    "run/a\x07b",
    "run\u202e/manifest.json",
    ".mirror.json/manifest.json",
    ".mirror.json",
    "run/.lock",
    "run//manifest.json",
    "run/plots",
    "run/plots/errors.png",
    "run/a/b/c/d/e/f/g",
    "run/" + "x" * 300,
]


def test_no_key_leaves_the_cache_or_breaks_the_others(
    s3: S3, uploaded: Uploaded, fetch: Fetch, cache: Path, tmp_path: Path
) -> None:
    manifest = (uploaded.runs[0].path / "manifest.json").read_bytes()
    for key in (*HOSTILE, "run/manifest.json"):
        s3.put(key, manifest)
    before = files_in(tmp_path) - files_in(cache)
    mirror = fetch()
    assert [] == mirror.troubles()
    assert before == {name for name in files_in(tmp_path) if not name.startswith("cache/harness/s3/")}
    of_run = {name for name in files_in(cache) if not name.startswith("000")}
    assert {".mirror.json", "run/manifest.json", "run/plots/errors.png"} == of_run


def test_a_link_in_the_cache_is_replaced_not_followed(
    uploaded: Uploaded, fetch: Fetch, cache: Path, tmp_path: Path
) -> None:
    fetch()
    summary = cache / uploaded.names[0] / "summary.json"
    (tmp_path / "mine").write_text("mine")
    summary.unlink()
    summary.symlink_to(tmp_path / "mine")
    fetch()
    assert ("mine", False) == ((tmp_path / "mine").read_text(), summary.is_symlink())


@pytest.fixture
def huge(s3: S3, run: Path) -> str:
    """The name of a run that another program copied, with 30 GB of attempts."""
    s3.put(f"{run.name}/manifest.json", (run / "manifest.json").read_bytes())
    s3.put(f"{run.name}/attempts.parquet")
    s3.claim(f"{run.name}/attempts.parquet", 30_000_000_000)
    s3.requests.clear()
    return run.name


def test_more_than_a_command_may_fetch_is_refused_before_anything_is(s3: S3, huge: str, fetch: Fetch) -> None:
    why = r"needs 2 files of 30\.0 GB together, more than 20 GB; .*`harness sync s3://bench/results FOLDER`"
    with pytest.raises(BucketError, match=why):
        fetch()
    assert [] == got(s3)
    assert 1 == len(fetch("manifest.json").remote.readable())


def test_a_huge_object_is_not_downloaded(s3: S3, huge: str, connection: Connection, tmp_path: Path) -> None:
    (remote,) = connection.run(list_remote_runs(connection.bucket)).readable()
    with pytest.raises(DamagedRun, match=r"has 30\.0 GB; no file of a run has more than 20 GB"):
        connection.run(download_run(connection.bucket, remote, tmp_path / "copy"))
    assert f"{huge}/attempts.parquet" not in got(s3)


def test_too_many_keys_are_refused(uploaded: Uploaded, connection: Connection) -> None:
    assert 9 == len(connection.run(connection.bucket.list_objects(most=9)))
    with pytest.raises(BucketError, match="holds more than 8 objects; name the prefix of the runs"):
        connection.run(connection.bucket.list_objects(most=8))


def test_thousands_of_objects_are_listed_page_by_page(s3: S3, uploaded: Uploaded, fetch: Fetch) -> None:
    for number in range(1200):
        s3.put_behind(f"a-folder-of-others/{number}")
    s3.requests.clear()
    assert 3 == len(fetch("manifest.json").remote.readable())
    assert 2 == s3.requests.count("GET /bench")


def test_the_cache_is_the_users_alone(cache: Path, connection: Connection, tmp_path: Path) -> None:
    assert cache == tmp_path / "cache/harness/s3" / cache.parent.name / "results"
    for folder in (cache, cache.parent, tmp_path / "cache/harness"):
        assert 0o700 == stat.S_IMODE(folder.stat().st_mode)
    cache.chmod(0o777)
    make_cache_folder(parse_address(ADDRESS), connection.bucket.endpoint)
    assert 0o700 == stat.S_IMODE(cache.stat().st_mode)


def test_addresses_do_not_share_a_folder(s3: S3) -> None:
    aws = "https://s3.us-east-1.amazonaws.com"
    places = [("s3://bench", aws), ("s3://bench/a", aws), ("s3://bench/a/b", aws), ("s3://bench/a%2Fb", aws),
              ("s3://other/a", aws), ("s3://bench/a", "http://minio:9000")]  # fmt: skip
    assert len(places) == len({make_cache_folder(parse_address(address), url) for address, url in places})


def test_a_cache_of_another_user_is_refused(s3: S3, tmp_path: Path) -> None:
    others = Path("/")
    if os.getuid() == others.stat().st_uid:
        others = tmp_path / "others"
        others.mkdir()
        os.chown(others, 1234, 1234)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "harness").symlink_to(others)
    with pytest.raises(StoreError, match="harness: belongs to another user; set XDG_CACHE_HOME"):
        make_cache_folder(parse_address(ADDRESS), s3.url)


def test_damaged_state_of_the_cache_means_fetching_again(uploaded: Uploaded, fetch: Fetch, cache: Path) -> None:
    fetch()
    (cache / ".mirror.json").write_text("{")
    assert [] == fetch().troubles()
