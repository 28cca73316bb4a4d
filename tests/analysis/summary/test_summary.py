"""`summary.json`, written."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.analysis.summary.summary import RunSummary, Winner, write_summary
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
        winners=[
            Winner(
                metric="pass rate",
                target="a",
                value=0.975,
                unit="share",
                clear=False,
                rivals=1,
                close=["b"],
                tied_with=["b"],
            )
        ],
        findings=[Finding(what="no warm-up", remedy="set load.warmup")],
        total_cost_usd=None,
    )


def test_a_summary_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_summary(tmp_path / "summary.json", make_summary())
    assert make_summary() == msgspec.json.decode((tmp_path / "summary.json").read_bytes(), type=RunSummary)
    assert (tmp_path / "summary.json").read_text().endswith("}\n")
