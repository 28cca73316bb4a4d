"""`summary.json`, written and read."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.summary import RunSummary, Winner, read_summary, write_summary
from harness.errors import StoreError
from harness.store.finding import Finding


def make_summary() -> RunSummary:
    return RunSummary(
        schema_version=1,
        run_id="20260101T000000Z-trial-a1b2c3",
        suite="trial",
        suite_digest="0123456789ab",
        started_utc="2026-01-01T00:00:00Z",
        duration_s=1.5,
        simulated=True,
        endpoint="simulator",
        state="complete",
        level=0.95,
        arrival="closed",
        targets=[],
        winners=[Winner(metric="pass rate", target="a", value="97.5%", clear=False, tied_with=["b"])],
        findings=[Finding(what="no warm-up", remedy="set load.warmup")],
        total_cost_usd=None,
    )


def test_a_summary_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_summary(tmp_path / "summary.json", make_summary())
    assert make_summary() == read_summary(tmp_path / "summary.json")
    assert (tmp_path / "summary.json").read_text().endswith("}\n")


def test_a_missing_summary_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="harness report"):
        read_summary(tmp_path / "summary.json")


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b'{"schema_version": "one"}', b"\xff"])
def test_a_summary_that_is_none_says_how_to_make_it_again(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_bytes(content)
    with pytest.raises(StoreError, match="make it again"):
        read_summary(tmp_path / "summary.json")
