"""Looks at the folder that the quickstart left behind: complete, simulated, every planned request once, all reports."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb

[folder] = (path for path in Path(sys.argv[1]).iterdir() if (path / "manifest.json").is_file() and path.name[0] == "2")
manifest = json.loads((folder / "manifest.json").read_text())
summary = json.loads((folder / "summary.json").read_text())
attempts = str(folder / "attempts.parquet")
[(measured, once)] = duckdb.sql(
    f"SELECT count(*), count(DISTINCT request_id) FROM read_parquet('{attempts}') WHERE phase = 'measure'"
).fetchall()

assert manifest["state"] == "complete", manifest["state"]
assert manifest["simulated"] is True
assert measured == once == 4 * 40, (measured, once)
assert [target["requests"] for target in summary["targets"]] == [40] * 4
assert all(target["success_rate"]["value"] == 1.0 for target in summary["targets"])
assert summary["duration_s"] < 30, summary["duration_s"]
assert "SIMULATED" in (folder / "report.md").read_text()
assert "SIMULATED" in (folder / "report.html").read_text()
assert len(list((folder / "plots").glob("*.png"))) == len(list((folder / "plots").glob("*.svg"))) >= 6
print(f"quickstart: {measured} requests in {summary['duration_s']:.1f} s, {len(summary['winners'])} figures won")
