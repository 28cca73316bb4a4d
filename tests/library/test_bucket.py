"""`harness.open_run` of a run in a bucket, also in a notebook, whose thread runs an event loop."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import harness
from harness.store.bucket.address import parse_address
from harness.store.bucket.objects import open_bucket
from harness.store.bucket.upload import upload_run
from tests.s3 import ADDRESS, S3

EXAMPLE = Path(__file__).parents[2] / "results" / "example"


async def test_a_run_in_a_bucket_opens_as_a_local_one(s3: S3, tmp_path: Path) -> None:
    run = Path(shutil.copytree(EXAMPLE, tmp_path / "20261122T024500Z-quickstart-a1b2c3"))
    async with open_bucket(parse_address(ADDRESS)) as bucket:
        await upload_run(bucket, run)
    opened = harness.open_run(f"{ADDRESS}/2026")
    assert harness.open_run(run).summary == opened.summary
    assert opened.path.is_relative_to(tmp_path / "cache")
    with pytest.raises(harness.HarnessError, match="has no run 'x'; it holds 20261122T024500Z-quickstart-a1b2c3"):
        harness.open_run(f"{ADDRESS}/x")
