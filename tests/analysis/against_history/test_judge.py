"""A run against the last runs of its suite: what is outside, what is not, and what would settle the rest."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.analysis.against_history.figures import find_left_out
from harness.analysis.against_history.judge import compare_with_history
from harness.analysis.against_history.rows import HistoryReport, HistoryRow
from harness.analysis.past_runs import StoredRun, find_past_runs, read_stored_run
from harness.analysis.stats.interval import Interval
from harness.analysis.summary.summary import TargetSummary, write_summary
from harness.errors import CompareError, StoreError
from harness.store.finding import Finding
from harness.store.run_folder import RunFolder
from harness.suite.suite import Suite

SONNET, HAIKU = "claude-sonnet-4-6/us/converse", "claude-haiku-4-5/global/converse"
GATE = {"pass_rate": "8pp", "ttft_p95": "25%", "cost_per_request": "10%"}
PastRuns = Callable[..., list[RunFolder]]


@pytest.fixture
def suite(make_suite: Callable[..., Suite]) -> Suite:
    return make_suite(name="nightly", digest="0123456789ab", gate=GATE)


@pytest.fixture
def judged(tmp_path: Path, past_runs: PastRuns, suite: Suite) -> Callable[..., HistoryReport]:
    """`judged(nights, change)`: the last of so many nights, its first target changed, against those before it."""

    def judge(n: int, change: Callable[[TargetSummary], TargetSummary] = lambda t: t, **how: Any) -> HistoryReport:
        options = {name: how.pop(name) for name in ("last", "targets", "gate") if name in how}
        runs = past_runs(tmp_path, n, **how)
        today = read_stored_run(runs[-1])
        assert today.summary is not None
        targets = [change(t) if t.target == SONNET else t for t in today.summary.targets]
        write_summary(runs[-1].summary_path, msgspec.structs.replace(today.summary, targets=targets))
        today = read_stored_run(runs[-1])
        past = find_past_runs(tmp_path, today.manifest, suite)
        left_out = find_left_out(tmp_path, today.manifest, [run.manifest.run_id for run in past])
        return compare_with_history(today, suite, past, left_out=left_out, **options)

    return judge


def row_of(report: HistoryReport, metric: str, target: str = SONNET) -> HistoryRow:
    return next(row for row in report.of(target) if row.metric == metric)


def slower(factor: float) -> Callable[[TargetSummary], TargetSummary]:
    def change(t: TargetSummary) -> TargetSummary:
        assert t.ttft_s is not None
        p95 = msgspec.structs.replace(t.ttft_s.p95, value=factor * t.ttft_s.p95.value)
        return msgspec.structs.replace(t, ttft_s=msgspec.structs.replace(t.ttft_s, p95=p95))

    return change


@pytest.mark.parametrize("nights", [7, 21])
def test_what_lies_outside_by_the_margin_is_worse_or_better_with_what_differed(
    judged: Callable[..., HistoryReport], nights: int
) -> None:
    def change(i: int) -> dict[str, Any]:
        return {"versions": {"harness": "0.1.0", "aiobotocore": "2.26.0" if i == nights - 1 else "2.25.1"}}

    report = judged(nights, slower(1.6), changes=change)
    row = row_of(report, "ttft_p95")
    assert ("worse", False, "worse") == (row.verdict, row.inside, report.verdict)
    assert ("aiobotocore 2.25.1 → 2.26.0",) == row.differed
    assert row.high is not None
    assert row.today is not None
    assert row.high < row.today
    assert math.log(1.6) == pytest.approx(row.estimate, abs=0.15)
    assert "no_worse" == row_of(report, "ttft_p95", HAIKU).verdict
    assert () == row_of(report, "ttft_p95", HAIKU).differed


def test_a_faster_night_is_better(judged: Callable[..., HistoryReport]) -> None:
    report = judged(21, slower(0.6))
    assert ("better", False) == (row_of(report, "ttft_p95").verdict, row_of(report, "ttft_p95").inside)


def test_an_ordinary_night_is_no_worse(judged: Callable[..., HistoryReport]) -> None:
    report = judged(21)
    assert ("no_worse", True, 20, 6) == (report.verdict, report.valid, len(report.past_runs), report.family)
    assert all(row.inside and row.low < row.today < row.high for row in report.rows)  # type: ignore[operator]


def test_fewer_than_five_nights_are_inconclusive_and_say_how_many_are_missing(
    judged: Callable[..., HistoryReport],
) -> None:
    report = judged(4, slower(3.0))
    assert "inconclusive" == report.verdict
    assert {("inconclusive", 2, None)} == {(row.verdict, row.runs_needed, row.expected) for row in report.rows}


def test_nights_that_differ_by_more_than_the_margin_say_so(judged: Callable[..., HistoryReport]) -> None:
    row = row_of(judged(21, gate={"ttft_p95": "5%"}), "ttft_p95")
    assert ("inconclusive", True, None) == (row.verdict, row.inside, row.runs_needed)
    assert "differ among themselves by more than the margin" in row.note


def test_few_nights_that_more_would_settle_say_how_many_more(judged: Callable[..., HistoryReport]) -> None:
    row = row_of(judged(6, gate={"ttft_p95": "13%"}), "ttft_p95")
    assert ("inconclusive", "so few past runs predict little") == (row.verdict, row.note)
    assert row.runs_needed is not None
    assert 1 <= row.runs_needed <= 15


def test_one_odd_night_of_twenty_does_no_harm(
    judged: Callable[..., HistoryReport], tmp_path: Path, past_runs: PastRuns, suite: Suite
) -> None:
    """Ten times as slow: with it in the mean and in s, no change would ever be found."""
    runs = past_runs(tmp_path, 21)
    odd = read_stored_run(runs[7]).summary
    assert odd is not None
    write_summary(runs[7].summary_path, msgspec.structs.replace(odd, targets=[slower(10.0)(t) for t in odd.targets]))
    past = find_past_runs(tmp_path, runs[20].read_manifest(), suite)
    today = read_stored_run(runs[20])
    assert today.summary is not None
    late = msgspec.structs.replace(today.summary, targets=[slower(1.6)(t) for t in today.summary.targets])
    report = compare_with_history(msgspec.structs.replace(today, summary=late), suite, past)
    assert ["worse", "worse"] == [row.verdict for row in report.rows if row.metric == "ttft_p95"]


def test_nights_that_all_passed_do_not_make_one_failure_a_fall(
    tmp_path: Path, past_runs: PastRuns, suite: Suite
) -> None:
    """A spread of nought has no interval; one answer of 200 is inside, and twenty are not."""
    runs = past_runs(tmp_path, 8)

    def passed(run: RunFolder, n: int) -> StoredRun:
        stored = read_stored_run(run)
        assert stored.summary is not None
        targets = [
            msgspec.structs.replace(t, passed=n, pass_rate=Interval(value=n / 200, low=0.9, high=1.0))
            for t in stored.summary.targets
        ]
        return msgspec.structs.replace(stored, summary=msgspec.structs.replace(stored.summary, targets=targets))

    past = [passed(run, 200) for run in runs[:7]]
    one, twenty = (compare_with_history(passed(runs[7], n), suite, past) for n in (199, 180))
    assert ("no_worse", True) == (row_of(one, "pass_rate").verdict, row_of(one, "pass_rate").inside)
    assert ("worse", False) == (row_of(twenty, "pass_rate").verdict, row_of(twenty, "pass_rate").inside)


def test_failures_that_no_past_night_had_make_no_latency_better(judged: Callable[..., HistoryReport]) -> None:
    def failing(t: TargetSummary) -> TargetSummary:
        return msgspec.structs.replace(slower(0.6)(t), success_rate=Interval(value=0.9, low=0.85, high=0.95))

    row = row_of(judged(21, failing), "ttft_p95")
    assert ("inconclusive", "its failed requests may hide slow answers") == (row.verdict, row.note)


@pytest.mark.parametrize("changes", [{"cost_per_request_usd": -1.0}, {"requests": 0}, {"cost_per_request_usd": None}])
def test_a_past_run_with_a_figure_that_cannot_be_is_passed_over(
    tmp_path: Path, past_runs: PastRuns, suite: Suite, changes: dict[str, Any]
) -> None:
    runs = past_runs(tmp_path, 9)
    stored = read_stored_run(runs[2]).summary
    assert stored is not None
    targets = [msgspec.structs.replace(t, **changes) for t in stored.targets]
    write_summary(runs[2].summary_path, msgspec.structs.replace(stored, targets=targets))
    past = find_past_runs(tmp_path, runs[8].read_manifest(), suite)
    row = row_of(compare_with_history(read_stored_run(runs[8]), suite, past), "cost_per_request")
    assert (7, "no_worse") == (len(row.past), row.verdict)


def test_only_the_last_runs_count(judged: Callable[..., HistoryReport]) -> None:
    report = judged(15, last=6)
    assert ["0008-nightly", "0013-nightly"] == [report.past_runs[0], report.past_runs[-1]]
    assert {6} == {len(row.past) for row in report.rows}


def test_runs_that_cannot_be_compared_are_named_with_the_reason(judged: Callable[..., HistoryReport]) -> None:
    changes = {1: {"endpoint": "aws"}, 2: {"suite_digest": "ba9876543210"}, 3: {"state": "interrupted"}}
    invalid = Finding(what="starved", remedy="", invalidates=True)
    report = judged(12, changes=lambda i: changes.get(i, {}), findings=lambda i: [invalid] if i == 4 else [])
    assert {
        "another endpoint (aws, today simulator)": ("0001-nightly",),
        "other prompts, load, retries or quota, or a suite that is not kept with the run (suite digest ba9876543210, "
        "today 0123456789ab)": ("0002-nightly",),
        "the run is interrupted, not complete": ("0003-nightly",),
        "the run is invalid: starved": ("0004-nightly",),
    } == {each.why: each.run_ids for each in report.left_out}
    assert 7 == len(report.past_runs)


def test_a_target_that_was_another_one_is_named(tmp_path: Path, past_runs: PastRuns, suite: Suite) -> None:
    runs = past_runs(tmp_path, 9)
    for run in runs[:3]:
        manifest = run.read_manifest()
        moved = [msgspec.structs.replace(t, region="eu-west-1") if t.name == HAIKU else t for t in manifest.targets]
        run.write_manifest(msgspec.structs.replace(manifest, targets=tuple(moved)))
    today = read_stored_run(runs[8])
    past = find_past_runs(tmp_path, today.manifest, suite)
    left_out = find_left_out(tmp_path, today.manifest, [run.manifest.run_id for run in past])
    assert [(f"another {HAIKU} (Region eu-west-1 → us-east-1)", 3)] == [(e.why, len(e.run_ids)) for e in left_out]
    report = compare_with_history(today, suite, past, left_out=left_out)
    assert [8, 5] == [len(row_of(report, "ttft_p95", name).past) for name in (SONNET, HAIKU)]


def test_an_invalid_run_gets_no_verdict(tmp_path: Path, past_runs: PastRuns, suite: Suite) -> None:
    invalid = Finding(what="starved", remedy="", invalidates=True)
    runs = past_runs(tmp_path, 9, findings=lambda i: [invalid] if i == 8 else [])
    past = find_past_runs(tmp_path, runs[8].read_manifest(), suite)
    report = compare_with_history(read_stored_run(runs[8]), suite, past)
    assert (False, "inconclusive", 8) == (report.valid, report.verdict, len(report.past_runs))
    assert "the run is invalid: starved" == report.findings[0].what


def test_a_run_without_a_summary_an_unknown_target_and_too_short_a_look_back_are_refused(
    tmp_path: Path, past_runs: PastRuns, suite: Suite, judged: Callable[..., HistoryReport]
) -> None:
    with pytest.raises(CompareError, match="--candidate other: the run did not measure it"):
        judged(7, targets=["other"])
    with pytest.raises(CompareError, match="--last 4: a prediction needs 5"):
        judged(7, last=4, suite="nightly-too")
    run = past_runs(tmp_path / "third", 1)[0]
    run.summary_path.unlink()
    with pytest.raises(StoreError, match=r"has no summary.json; create it with `harness report"):
        compare_with_history(read_stored_run(run), suite, [])
