from __future__ import annotations

import pytest

from harness.errors import HarnessError
from harness.store.bucket.address import BucketAddress, is_safe_name, parse_address


@pytest.mark.parametrize(
    ("written", "bucket", "prefix"),
    [
        ("s3://bench", "bench", ""),
        ("s3://bench/", "bench", ""),
        ("s3://my.bench-1/a/b/", "my.bench-1", "a/b"),
    ],
)
def test_an_address_is_a_bucket_and_a_prefix(written: str, bucket: str, prefix: str) -> None:
    assert BucketAddress(bucket=bucket, prefix=prefix) == parse_address(written)


@pytest.mark.parametrize("written", ["s3://", "s3:///x", "s3://UPPER/x", "s3://a/x", "s3://b_c/x", "s3://be..n?ch/x"])
def test_what_is_not_the_name_of_a_bucket_is_refused(written: str) -> None:
    with pytest.raises(HarnessError, match="is not the address of a bucket; write s3://BUCKET"):
        parse_address(written)


@pytest.mark.parametrize("prefix", ["../x", "a//b", "a/./b", ".hidden", "a\x1b[2Jb", "a\\b"])
def test_a_prefix_that_no_folder_can_mirror_is_refused(prefix: str) -> None:
    with pytest.raises(HarnessError, match="choose another prefix"):
        parse_address(f"s3://bench/{prefix}")


def test_a_key_and_the_address_above_it() -> None:
    address = parse_address("s3://bench/a/b")
    assert ("a/b/run", "s3://bench/a/b/run") == (address.key("run"), str(address.below("run")))
    assert (parse_address("s3://bench/a"), "b") == address.split()
    assert (parse_address("s3://bench"), "a") == parse_address("s3://bench/a").split()


@pytest.mark.parametrize("name", ["manifest.json", "plots/errors.png", "confirm/20261122T0245Z-x-1/plots/forest.png"])
def test_the_files_of_a_run_are_safe(name: str) -> None:
    assert is_safe_name(name)


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "../x", "a/../../x", "a//b", ".lock", "a/.hidden", "a\x00b", "a\nb", "a\u202eb", "a\\..\\b",
     "x" * 256, "a/b/c/d/e/f", "\ud800"],
)  # fmt: skip
def test_a_name_that_leads_out_hides_or_cannot_be_printed_is_not(name: str) -> None:
    assert not is_safe_name(name)
