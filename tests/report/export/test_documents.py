"""benchmark.json and the embedded metric format, checked against what their readers accept."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.analysis.past_runs import StoredRun, read_stored_run
from harness.errors import HarnessError, StoreError
from harness.report.export.benchmark_json import export_benchmark
from harness.report.export.emf import export_emf
from harness.report.export.exporter import ExportOptions
from harness.store.run_folder import RunFolder

UNITS = {"Percent", "Seconds", "Count/Second", "None"}
"""Those of CloudWatch that are used here."""
RANGE = re.compile(r"±\s*(\d.*)")
"""What the action shows behind a value."""
PastRuns = Callable[..., list[RunFolder]]


@pytest.fixture
def run(past_runs: PastRuns, tmp_path: Path) -> StoredRun:
    return read_stored_run(past_runs(tmp_path, 1)[0])


def changed(run: StoredRun, **changes: Any) -> StoredRun:
    """The run with other fields in its summary; `target`: in that of its first target."""
    assert run.summary is not None
    first, *others = run.summary.targets
    targets = [msgspec.structs.replace(first, **changes.pop("target", {})), *others]
    summary = msgspec.structs.replace(run.summary, **{"targets": targets, **changes})
    return msgspec.structs.replace(run, summary=summary)


def read_benchmark(run: StoredRun, **options: Any) -> list[dict[str, Any]]:
    """The file as the action reads it: an array of entries with these keys and types."""
    entries: list[dict[str, Any]] = json.loads(export_benchmark(run, ExportOptions(**options)).document or "")
    assert entries
    for entry in entries:
        assert {"name", "unit", "value"} <= set(entry) <= {"name", "unit", "value", "range", "extra"}
        assert all(isinstance(entry[key], str) for key in set(entry) - {"value"})
        assert isinstance(entry["value"], float | int)
        if "range" in entry:
            match = RANGE.fullmatch(entry["range"])
            assert match
            assert float(match[1]) >= 0
    assert len(entries) == len({entry["name"] for entry in entries})
    return entries


def test_a_benchmark_file_has_the_metrics_of_one_direction_with_units_and_ranges(run: StoredRun) -> None:
    assert run.summary is not None
    first = run.summary.targets[0]
    assert first.ttft_s is not None
    assert first.pass_rate is not None
    smaller = {entry["name"]: entry for entry in read_benchmark(run)}
    bigger = {entry["name"]: entry for entry in read_benchmark(run, bigger_is_better=True)}
    assert not smaller.keys() & bigger.keys()
    ttft = smaller[f"{first.target} (SIMULATED): TTFT p95"]
    assert (first.ttft_s.p95.value, "s") == (ttft["value"], ttft["unit"])
    assert "95% interval" in ttft["extra"]
    assert run.manifest.run_id in ttft["extra"]
    passed = bigger[f"{first.target} (SIMULATED): pass rate"]
    assert (100 * first.pass_rate.value, "%") == (passed["value"], passed["unit"])
    assert [f"{t.target} (SIMULATED): pass rate" for t in run.summary.targets] == list(bigger)
    assert "SIMULATED" not in "".join(entry["name"] for entry in read_benchmark(changed(run, simulated=False)))


def test_a_benchmark_entry_without_both_bounds_has_no_range(run: StoredRun) -> None:
    entries = read_benchmark(run)
    assert all("range" not in entry for entry in entries if entry["name"].endswith("p99"))
    assert all("range" in entry for entry in entries if entry["name"].endswith("p50"))


def test_a_benchmark_file_is_never_empty_on_which_the_action_would_fail(run: StoredRun) -> None:
    with pytest.raises(HarnessError, match="has no metric of which bigger is better"):
        export_benchmark(changed(run, targets=[]), ExportOptions(bigger_is_better=True))


def check_emf(line: str) -> dict[str, Any]:
    """Parse a line; the rules of the embedded metric format and of CloudWatch's dimensions, restated."""
    root: dict[str, Any] = json.loads(line)
    assert len(line.encode()) <= 256 * 1024
    assert {"Timestamp", "CloudWatchMetrics"} == set(root["_aws"])
    assert isinstance(root["_aws"]["Timestamp"], int)
    for directive in root["_aws"]["CloudWatchMetrics"]:
        assert {"Namespace", "Dimensions", "Metrics"} == set(directive)
        assert 1 <= len(directive["Namespace"]) <= 255
        assert directive["Dimensions"]
        for names in directive["Dimensions"]:
            assert len(names) <= 9  # the older limit; newer documents say 30
            for name in names:
                value = root[name]
                assert isinstance(value, str)
                assert value.isascii()
                assert value.strip()
                assert len(value) <= 1024
                assert not value.startswith(":")
        assert 1 <= len(directive["Metrics"]) <= 100
        for metric in directive["Metrics"]:
            assert {"Name", "Unit"} == set(metric)
            assert metric["Unit"] in UNITS
            assert isinstance(root[metric["Name"]], float | int)
    return root


def read_emf(run: StoredRun, **options: Any) -> list[dict[str, Any]]:
    return [check_emf(line) for line in (export_emf(run, ExportOptions(**options)).document or "").splitlines()]


def test_emf_has_a_valid_line_for_each_target(run: StoredRun) -> None:
    assert run.summary is not None
    lines = read_emf(run, namespace="Team/Models")
    assert [t.target for t in run.summary.targets] == [line["Target"] for line in lines]
    first = run.summary.targets[0]
    assert first.e2e_s is not None
    assert first.e2e_s.p95.value == lines[0]["e2e_p95"]
    assert 100 * first.error_rate.value == lines[0]["error_rate"]
    assert {"Name": "error_rate", "Unit": "Percent"} in lines[0]["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    assert "Team/Models" == lines[0]["_aws"]["CloudWatchMetrics"][0]["Namespace"]
    assert 1_790_906_400_000 == lines[0]["_aws"]["Timestamp"]  # 2026-10-02T02:00:00Z
    assert ("true", ["Suite", "Target", "Simulated"]) == (
        lines[0]["Simulated"],
        lines[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0],
    )
    assert "Simulated" not in read_emf(changed(run, simulated=False))[0]


@pytest.mark.parametrize("name", ["模型/größe", "::colons", "\u202e\x1b[31m", " : ", "x" * 5000, "a\nb"])
def test_any_name_becomes_dimensions_that_cloudwatch_accepts(run: StoredRun, name: str) -> None:
    assert read_emf(changed(run, suite=name, target={"target": name}))


@pytest.mark.parametrize("name", ["", ":x", "AWS/Bedrock", "a b", "x" * 256, "größe", "a\n"])
def test_a_namespace_that_cloudwatch_refuses_is_refused_here(run: StoredRun, name: str) -> None:
    with pytest.raises(HarnessError, match="--namespace"):
        export_emf(run, ExportOptions(namespace=name))


def test_a_run_without_a_summary_says_how_to_make_one(run: StoredRun) -> None:
    run.folder.summary_path.unlink()
    with pytest.raises(StoreError, match=r"has no summary\.json; create it with `harness report"):
        export_emf(read_stored_run(run.folder), ExportOptions())
