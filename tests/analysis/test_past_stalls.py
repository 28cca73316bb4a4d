"""A dry run counts with the stalls of the suite's latest runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from harness.analysis.compare.sample_size.detectable import ASSUMED_STALLS
from harness.analysis.past_stalls import past_stalls
from harness.store.run_folder import RunFolder
from harness.suite.suite import Suite

EXAMPLE = Path(__file__).parents[2] / "results" / "example"
AddRun = Callable[..., Path]
ROWS = """
SELECT * EXCLUDE (due, ns) REPLACE (
    due AS due_ns, due AS sent_ns, due + ns AS headers_ns, due + ns AS first_ns, due + ns AS last_ns,
    due + ns AS done_ns, [0::BIGINT] AS chunk_us
)
FROM (
    SELECT * EXCLUDE (place, first, start), start + place * 1500000000 AS due,
        500000000 + CASE WHEN target = first AND place BETWEEN 15 AND 24 THEN {late_ns} ELSE 0 END AS ns
    FROM (
        SELECT *, row_number() OVER (PARTITION BY target, phase ORDER BY due_ns) - 1 AS place,
            min(target) OVER () AS first, min(due_ns) OVER () AS start
        FROM read_parquet('{example}')
    )
)
"""
"""The example's rows with a request to each target every 1.5 s; ten of the first target are late."""


@pytest.fixture
def add_run(tmp_path: Path) -> AddRun:
    """`add_run("a", stalled=True)`: a run of the example's suite, in which one target stalls or none does.

    `changes`: fields of its manifest.
    """

    def add(name: str, *, stalled: bool = False, **changes: object) -> Path:
        folder = Path(shutil.copytree(EXAMPLE, tmp_path / name))
        manifest = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps({**manifest, "run_id": name, **changes}))
        file = folder / "attempts.parquet"
        rows = ROWS.format(example=EXAMPLE / "attempts.parquet", late_ns=10**10 if stalled else 0)
        duckdb.sql(f"COPY ({rows}) TO '{file}' (FORMAT parquet)")
        return folder

    return add


@pytest.fixture
def suite() -> Suite:
    return RunFolder(EXAMPLE).read_suite()


def test_without_earlier_runs_a_stall_a_minute_is_assumed(tmp_path: Path, suite: Suite) -> None:
    assert ASSUMED_STALLS == past_stalls(tmp_path, suite)
    assert "assumed" == ASSUMED_STALLS.source


def test_the_stalls_of_earlier_runs_count(tmp_path: Path, add_run: AddRun, suite: Suite) -> None:
    add_run("20260101T000000Z-quickstart-aaaaaa", stalled=True)
    stalls = past_stalls(tmp_path, suite)
    minutes = 4 * 39 * 1.5 / 60
    assert (1 / minutes, 9 * 1.5) == pytest.approx((stalls.a_minute, stalls.seconds))
    assert f"as seen in {minutes:.3g} target-minutes of the last run" == stalls.source


def test_quiet_minutes_are_a_bound_and_no_proof(tmp_path: Path, add_run: AddRun, suite: Suite) -> None:
    add_run("20260101T000000Z-quickstart-aaaaaa")
    stalls = past_stalls(tmp_path, suite)
    assert 3 / (4 * 39 * 1.5 / 60) == pytest.approx(stalls.a_minute)
    assert "none was seen in 3.9 target-minutes of the last run" == stalls.source


@pytest.mark.parametrize("changes", [{"suite": "another"}, {"endpoint": "aws"}, {"state": "interrupted"}])
def test_runs_that_are_not_comparable_do_not_count(
    tmp_path: Path, add_run: AddRun, suite: Suite, changes: dict[str, str]
) -> None:
    add_run("20260101T000000Z-quickstart-aaaaaa", stalled=True, **changes)
    assert ASSUMED_STALLS == past_stalls(tmp_path, suite)


@pytest.mark.parametrize("file", ["attempts.parquet", "scores.parquet"])
def test_a_run_whose_rows_cannot_be_read_is_passed_over(
    tmp_path: Path, add_run: AddRun, suite: Suite, file: str
) -> None:
    add_run("20260101T000000Z-quickstart-aaaaaa", stalled=True)
    broken = add_run("20260102T000000Z-quickstart-bbbbbb") / file
    broken.write_bytes(broken.read_bytes()[:1000])
    assert "of the last run" in past_stalls(tmp_path, suite).source


def test_a_copy_of_a_run_counts_once(tmp_path: Path, add_run: AddRun, suite: Suite) -> None:
    shutil.copytree(add_run("20260101T000000Z-quickstart-aaaaaa", stalled=True), tmp_path / "copy")
    assert "in 3.9 target-minutes of the last run" in past_stalls(tmp_path, suite).source


def test_a_results_folder_that_does_not_exist_is_one_without_runs(tmp_path: Path, suite: Suite) -> None:
    assert ASSUMED_STALLS == past_stalls(tmp_path / "nothing", suite)
