"""Which earlier runs count for a run, and what they measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from harness.analysis.past_runs import find_past_runs, past_values
from harness.store.finding import Finding
from harness.store.manifest import Manifest
from harness.store.run_folder import RunFolder
from harness.suite.digest import digest_suite
from harness.suite.suite import Load, Suite

HAIKU = "claude-haiku-4-5/global/converse"
INVALID = Finding(what="the client was the bottleneck", remedy="use more workers", invalidates=True)
PastRuns = Callable[..., list[RunFolder]]
MakeSuite = Callable[..., Suite]


@pytest.fixture
def suite(make_suite: MakeSuite) -> Suite:
    return make_suite(name="nightly", digest="0123456789ab")


def found(results: Path, manifest: Manifest, suite: Suite, *excluding: str) -> list[str]:
    return [run.manifest.run_id for run in find_past_runs(results, manifest, suite, excluding=excluding)]


def test_only_valid_runs_of_the_same_suite_and_endpoint_before_a_run_count(
    tmp_path: Path, past_runs: PastRuns, suite: Suite
) -> None:
    changes = {1: {"state": "interrupted"}, 2: {"endpoint": "aws"}, 3: {"simulated": False}}
    runs = past_runs(tmp_path, 8, changes=lambda i: changes.get(i, {}), findings=lambda i: [INVALID] if i == 4 else [])
    past_runs(tmp_path, 2, suite="other")
    today = runs[7].read_manifest()
    assert ["0000-nightly", "0005-nightly", "0006-nightly"] == found(tmp_path, today, suite)
    assert ["0000-nightly", "0005-nightly"] == found(tmp_path, today, suite, "0006-nightly")


def test_a_rerun_beside_a_run_and_a_copy_of_one_are_no_history(
    tmp_path: Path, past_runs: PastRuns, suite: Suite
) -> None:
    runs = past_runs(tmp_path, 3)
    past_runs(runs[0].path / "confirm", 2)
    (tmp_path / "copy").mkdir()
    for path in (runs[0].manifest_path, runs[0].summary_path):
        (tmp_path / "copy" / path.name).write_bytes(path.read_bytes())
    assert ["0000-nightly", "0001-nightly"] == found(tmp_path, runs[2].read_manifest(), suite)


@pytest.mark.parametrize(
    ("changes", "counts"),
    [({"gate": {"ttft_p50": "10%"}}, True), ({"load": Load(warmup=1, concurrency=32)}, False), (None, False)],
    ids=["another gate", "another load", "its suite is gone"],
)
def test_a_run_of_a_suite_that_was_edited_counts_if_it_sent_the_same_requests(
    tmp_path: Path, past_runs: PastRuns, make_suite: MakeSuite, changes: dict[str, object] | None, counts: bool
) -> None:
    now, before = (make_suite(name="nightly", **each) for each in ({}, changes or {}))
    now, before = (msgspec.structs.replace(each, digest=digest_suite(each)) for each in (now, before))
    runs = past_runs(tmp_path, 2, changes=lambda _: {"suite_digest": before.digest if changes else "abcdef012345"})
    if changes:
        runs[0].write_suite(before)
    assert counts == bool(found(tmp_path, runs[1].read_manifest(), now))


def test_the_values_are_those_of_the_same_target(tmp_path: Path, past_runs: PastRuns, suite: Suite) -> None:
    runs = past_runs(tmp_path, 4)
    manifest = runs[1].read_manifest()
    moved = tuple(msgspec.structs.replace(target, region="eu-west-1") for target in manifest.targets)
    runs[1].write_manifest(msgspec.structs.replace(manifest, targets=moved))
    past = find_past_runs(tmp_path, runs[3].read_manifest(), suite)
    target = next(t for t in runs[3].read_manifest().targets if t.name == HAIKU)
    values = past_values(past, target, "ttft_p50")
    assert ["0000-nightly", "0002-nightly"] == [each.run_id for each in values]
    assert all(each.low is not None and each.high is not None and each.low < each.value < each.high for each in values)
    assert values[0].started_utc_ns < values[1].started_utc_ns
    assert [0.0, 0.0] == [each.value for each in past_values(past, target, "throttle_rate")]
    assert [] == past_values(past, target, "tpot_p50")
    assert [] == past_values(past, target, "e2e_p50_equal_length")


@pytest.mark.parametrize(
    ("metric", "old", "new"),
    [
        ("ttft_p50", '"value":', '"value":-'),
        ("error_rate", '"value":', '"value":2'),
        ("throttle_rate", '"throttled_attempts":', '"throttled_attempts":9'),
    ],
)
def test_a_value_that_cannot_be_is_left_out(
    tmp_path: Path, past_runs: PastRuns, suite: Suite, metric: str, old: str, new: str
) -> None:
    runs = past_runs(tmp_path, 3)
    text = msgspec.json.format(runs[0].summary_path.read_bytes(), indent=-1).decode()
    runs[0].summary_path.write_text(text.replace(old, new + ("000" if metric == "throttle_rate" else "")))
    manifest = runs[2].read_manifest()
    values = past_values(find_past_runs(tmp_path, manifest, suite), manifest.targets[0], metric)
    assert ["0001-nightly"] == [each.run_id for each in values]
