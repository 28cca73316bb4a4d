"""`harness.open_run` of a run in a bucket, also in a notebook, whose thread runs an event loop."""

from __future__ import annotations

import os
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


def test_a_run_leaves_awss_settings_as_they_were_for_the_bucket(here: Path, s3: S3) -> None:
    """A simulated run removes them from the environment while it lasts."""
    before = dict(os.environ)
    harness.run("tiny.yaml")
    assert before == dict(os.environ)
    with pytest.raises(harness.StoreError, match=f"{ADDRESS}: has no run 'x'; it holds no runs"):
        harness.open_run(f"{ADDRESS}/x")


@pytest.mark.parametrize("preflight", [True, False])
def test_a_run_against_aws_does_not_turn_off_the_endpoint_of_the_bucket(
    here: Path, s3: S3, monkeypatch: pytest.MonkeyPatch, preflight: bool
) -> None:
    """Nothing listens at the proxy, so that nothing leaves this machine."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    before = dict(os.environ)
    if preflight:
        with pytest.raises(harness.HarnessError, match="proxy"):
            harness.run("tiny.yaml", endpoint="aws")
    else:
        assert not harness.run("tiny.yaml", endpoint="aws", preflight=False).valid
    assert before == dict(os.environ)
    with pytest.raises(harness.StoreError, match=f"{ADDRESS}: has no run 'x'; it holds no runs"):
        harness.open_run(f"{ADDRESS}/x")
