"""A folder of runs as trends: what counts, what is apart, what changed, and what differed then."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from harness.analysis.history import HistoryFilter, SuiteHistory, load_history, manifest_differences
from harness.analysis.metrics import METRICS
from harness.catalog.prices import Price
from harness.errors import StoreError
from harness.store.finding import Finding
from harness.store.manifest import Manifest, TargetPrice
from harness.store.run_folder import RunFolder

SONNET, HAIKU = "claude-sonnet-4-6/us/converse", "claude-haiku-4-5/global/converse"
INVALID = Finding(what="the client was the bottleneck", remedy="use more workers", invalidates=True)
PastRuns = Callable[..., list[RunFolder]]


def only(results: Path, **wanted: object) -> SuiteHistory:
    (suite,) = load_history(results, HistoryFilter(**wanted)).suites  # type: ignore[arg-type]
    return suite


def test_a_change_is_told_with_the_run_and_what_differed_then(tmp_path: Path, past_runs: PastRuns) -> None:
    runs = past_runs(tmp_path, 24, slower_from=16)
    suite = only(tmp_path)
    assert {(trend.target, trend.metric) for trend, _ in suite.change_points} == {
        (SONNET, metric) for metric in ("ttft_p50", "ttft_p95", "e2e_p95")
    }
    for _, change in suite.change_points:
        assert (change.run_id, change.previous_run_id) == (runs[16].path.name, runs[15].path.name)
        assert (change.runs_before, change.runs_since, change.worse) == (16, 8, True)
        assert 1.3 < change.after / change.before < 1.5
        assert ["aiobotocore 2.25.1 → 2.26.0"] == change.differed


def test_what_differed_a_run_away_is_told_where_nothing_did_at_the_change(tmp_path: Path, past_runs: PastRuns) -> None:
    runs = past_runs(tmp_path, 24, slower_from=16)
    manifest = runs[16].read_manifest()
    old = {**manifest.versions, "aiobotocore": "2.25.1"}
    runs[16].write_manifest(msgspec.structs.replace(manifest, versions=old))
    _, change = only(tmp_path).change_points[0]
    assert ([], ["one run later: aiobotocore 2.25.1 → 2.26.0"]) == (change.differed, change.nearby)


def test_a_list_price_that_changed_is_named_by_term(tmp_path: Path, past_runs: PastRuns) -> None:
    earlier, later = (run.read_manifest() for run in past_runs(tmp_path, 2))

    def at(manifest: Manifest, *rates: tuple[str, float]) -> Manifest:
        prices = tuple(
            TargetPrice(target=SONNET, service_tier=tier, price=Price(input=of, output=5 * of, source="", as_of=None))
            for tier, of in rates
        )
        return msgspec.structs.replace(manifest, prices=prices)

    differ = manifest_differences(at(earlier, ("default", 1)), at(later, ("default", 1.2)), SONNET)
    assert "price $1 and $5 → $1.2 and $6" in differ
    differ = manifest_differences(at(earlier, ("flex", 1)), at(later, ("flex", 2), ("default", 4)), SONNET)
    assert ["price with service_tier: flex $1 and $5 → $2 and $10"] == [each for each in differ if "price" in each]
    assert not [
        each for each in manifest_differences(at(earlier), at(later, ("default", 1)), SONNET) if "price" in each
    ]


def test_below_fifteen_runs_it_is_said_how_many_are_missing(tmp_path: Path, past_runs: PastRuns) -> None:
    past_runs(tmp_path, 14, slower_from=7)
    suite = only(tmp_path)
    assert [] == suite.change_points
    assert {1} == {trend.missing for trend in suite.trends}


def test_runs_that_may_not_be_believed_are_apart_and_not_searched(tmp_path: Path, past_runs: PastRuns) -> None:
    runs = past_runs(
        tmp_path,
        5,
        changes=lambda i: {"state": "interrupted"} if i == 1 else {},
        findings=lambda i: [INVALID] if i == 2 else [],
    )
    runs[3].summary_path.unlink()
    runs[4].summary_path.write_text('{"targets": 1}')
    suite = only(tmp_path)
    troubles = [run.trouble or "" for run in suite.runs]
    assert troubles[0] == ""
    assert troubles[1:3] == [
        "the run is interrupted, not complete",
        "the run is invalid: the client was the bottleneck",
    ]
    assert troubles[3].endswith(f"has no summary.json; create it with `harness report {runs[3].path}`")
    assert troubles[4].startswith("summary.json cannot be read: ")
    assert all([0] == [p.run for p in t.points] and [1, 2] == [p.run for p in t.apart] for t in suite.trends)


def test_a_broken_folder_is_told_and_not_fatal(tmp_path: Path, past_runs: PastRuns) -> None:
    past_runs(tmp_path, 2)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "manifest.json").write_text("{")
    history = load_history(tmp_path, HistoryFilter())
    assert 2 == len(history.suites[0].runs)
    assert "not a manifest of a run" in history.unreadable[0]


def test_simulated_and_real_runs_never_share_a_line(tmp_path: Path, past_runs: PastRuns) -> None:
    past_runs(tmp_path, 6, changes=lambda i: {"simulated": i % 2 == 0, "endpoint": "aws"})
    suites = load_history(tmp_path, HistoryFilter()).suites
    assert [(False, 3), (True, 3)] == [(suite.simulated, len(suite.runs)) for suite in suites]


def test_runs_come_in_the_order_of_time_whatever_their_folders_are_called(tmp_path: Path, past_runs: PastRuns) -> None:
    runs = past_runs(tmp_path, 3)
    shutil.move(runs[0].path, tmp_path / "zzz")
    starts = [run.started_utc for run in only(tmp_path).runs]
    assert sorted(starts) == starts
    assert 3 == len(starts)


def test_a_history_can_be_asked_for_in_part(tmp_path: Path, past_runs: PastRuns) -> None:
    past_runs(tmp_path, 4)
    past_runs(tmp_path, 2, suite="other")
    since = datetime(2026, 10, 4, tzinfo=UTC)
    suite = only(tmp_path, suite="nightly", targets=(HAIKU,), metrics=("e2e_p95",), since=since)
    assert [(HAIKU, "e2e_p95")] == [(trend.target, trend.metric) for trend in suite.trends]
    assert 3 == len(suite.runs)
    with pytest.raises(StoreError, match=f"--target 'x': no run measured this target .known: {SONNET}, {HAIKU}"):
        load_history(tmp_path, HistoryFilter(targets=("x",)))


def test_every_difference_of_two_manifests_is_named(tmp_path: Path, past_runs: PastRuns) -> None:
    runs = past_runs(tmp_path, 24, slower_from=16)
    for run in runs[16:]:
        manifest = run.read_manifest()
        targets = (msgspec.structs.replace(manifest.targets[0], model_id="global.x", region="eu-west-1"),)
        run.write_manifest(
            msgspec.structs.replace(
                manifest,
                suite_digest="ba9876543210",
                targets=targets,
                endpoint="http://127.0.0.1:9000",
                versions={"harness": "0.2.0"},
                host=msgspec.structs.replace(manifest.host, cpus=8),
            )
        )
    _, change = only(tmp_path).change_points[0]
    assert [
        "suite digest 0123456789ab → ba9876543210",
        "endpoint simulator → http://127.0.0.1:9000",
        "model id us.anthropic.claude-sonnet-4-6 → global.x",
        "Region us-east-1 → eu-west-1",
        "aiobotocore 2.25.1 → none",
        "harness 0.1.0 → 0.2.0",
        "CPUs 2 → 8",
    ] == change.differed


@pytest.mark.parametrize(
    ("metric", "before", "after", "told"),
    [
        ("ttft_p50", 1.0, 1.09, False),
        ("ttft_p50", 1.0, 0.89, True),
        ("ttft_p50", 0.05, 0.06, False),
        ("ttft_p95", 1.0, 1.16, True),
        ("pass_rate", 0.90, 0.875, False),
        ("pass_rate", 0.90, 0.865, True),
        ("error_rate", 0.0, 0.011, True),
        ("cost_per_request", 0.0, 0.0, False),
    ],
)
def test_what_matters_has_a_floor_for_each_metric(metric: str, before: float, after: float, told: bool) -> None:
    assert told == METRICS[metric].is_change(before, after)


def test_a_copy_of_a_run_is_counted_once_and_told(tmp_path: Path, past_runs: PastRuns) -> None:
    runs = past_runs(tmp_path, 2)
    shutil.copytree(runs[1].path, tmp_path / "downloaded")
    history = load_history(tmp_path, HistoryFilter())
    assert 2 == len(history.suites[0].runs)
    (told,) = history.unreadable
    assert "is a copy of" in told
