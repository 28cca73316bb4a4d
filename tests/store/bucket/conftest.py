"""A connection to a bucket, and runs to upload."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.store.bucket.address import parse_address
from harness.store.bucket.objects import Connection, connect_bucket
from harness.store.run_folder import RunFolder
from tests.s3 import ADDRESS, S3


@pytest.fixture
def connection(s3: S3) -> Iterator[Connection]:
    with connect_bucket(parse_address(ADDRESS)) as connection:
        s3.requests.clear()
        yield connection


@pytest.fixture
def run(past_runs: Callable[..., list[RunFolder]], tmp_path: Path) -> Path:
    """A run of a manifest, a summary and a figure."""
    (made,) = past_runs(tmp_path / "results", 1)
    (made.path / "plots").mkdir()
    (made.path / "plots" / "errors.png").write_bytes(b"a picture")
    return made.path
