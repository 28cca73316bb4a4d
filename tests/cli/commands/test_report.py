"""`harness report`: several at once on one run, on somebody else's run, and on old ones."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

EXAMPLE = Path(__file__).parents[3] / "results" / "example"
VALID_OR_NOT = (0, 4)


@pytest.fixture
def run(finished: Any, tmp_path: Path) -> Path:
    """A copy of a finished run of the tiny suite."""
    return Path(shutil.copytree(finished.folder, tmp_path / "results" / finished.folder.name))


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_concurrent_reports_all_succeed_and_leave_one_complete_report(run: Path, start_harness: Any) -> None:
    """Slow, since each is a process. Two are enough: they interfere in every pair."""
    before = names(run)
    started = [start_harness("report", run, "--json", figures=("errors",)) for _ in range(2)]
    outputs = [child.communicate(timeout=120) for child in started]
    assert [child.returncode for child in started] == [0] * 2, outputs
    assert len({out for out, _ in outputs}) == 1
    assert json.loads(outputs[0][0]) == json.loads((run / "summary.json").read_text())
    assert duckdb.sql(f"SELECT count(*) FROM read_parquet('{run}/scores.parquet')").fetchall() == [(18,)]
    assert names(run) == before


def test_a_report_waits_for_another_writer_and_says_so(run: Path, start_harness: Any) -> None:
    folder = os.open(run, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    before = (run / "scores.parquet").stat().st_ino
    child = start_harness("report", run, "--json")
    line = child.stderr.readline()
    assert line == f"{run}: another process is writing here; waiting for it to finish\n"
    assert (run / "scores.parquet").stat().st_ino == before
    os.close(folder)
    out, more = child.communicate(timeout=120)
    assert (child.returncode, more) == (0, "")
    assert json.loads(out)["run_id"] == run.name
    assert (run / "scores.parquet").stat().st_ino != before


def test_leftovers_of_killed_processes_are_removed_once_they_are_old(run: Path, command: Any) -> None:
    old, new = run / ".scores.parquet.0123456789ab.partial", run / ".report.md.0123456789ab.partial"
    picture = run / "plots" / ".errors.png.0123456789ab.partial"
    (run / "plots").mkdir(exist_ok=True)
    for path in (old, new, picture):
        path.write_text("")
    os.utime(old, (1, 1))
    os.utime(picture, (1, 1))
    assert command("report", run, "--json").returncode == 0
    assert (old.exists(), new.exists(), picture.exists()) == (False, True, False)


WRITTEN = ["summary.json", "report.html", "report.md", "scores.parquet", "manifest.json"]


def test_nothing_is_written_through_a_link_in_a_runs_folder(run: Path, tmp_path: Path, command: Any) -> None:
    outside = {}
    for name in WRITTEN:
        target = tmp_path / f"outside-{name}"
        outside[target] = (run / name).read_bytes()
        (run / name).replace(target)
        (run / name).symlink_to(target)
    assert command("report", run).returncode == 0
    assert {path: path.read_bytes() for path in outside} == outside
    shutil.rmtree(run / "plots")
    (tmp_path / "elsewhere").mkdir()
    (run / "plots").symlink_to(tmp_path / "elsewhere")
    refused = command("report", run)
    assert refused.returncode == 2
    assert f"{run / 'plots'}: is a symbolic link, but results must stay inside the run folder" in refused.stderr
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
@pytest.mark.parametrize("name", ["manifest.json", "suite.json", "attempts.parquet", "judgements.jsonl"])
def test_what_is_not_a_regular_file_is_an_error_and_never_blocks(
    run: Path, command: Any, name: str, make: Callable[[Path], None]
) -> None:
    (run / name).unlink(missing_ok=True)
    make(run / name)
    done = command("report", run)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert name in done.stderr
    assert "internal error" not in done.stderr


def test_a_run_of_an_earlier_version_can_be_opened(tmp_path: Path, command: Any) -> None:
    run = Path(shutil.copytree(EXAMPLE, tmp_path / "results" / "example"))
    summary = json.loads((run / "summary.json").read_text())
    reported = json.loads(command("report", run, "--json").stdout)
    assert [each["passed"] for each in reported["targets"]] == [each["passed"] for each in summary["targets"]]
    assert reported["run_id"] == summary["run_id"]
    assert command("compare", run, "--json").returncode in VALID_OR_NOT
    assert command("gate", run, "--json").returncode in (0, 1, 3, 4)
    history = json.loads(command("history", "--json").stdout)
    assert [each["run_id"] for each in history["suites"][0]["runs"]] == [summary["run_id"]]
    [row] = json.loads(command("query", "SELECT count(DISTINCT run_id) AS n FROM requests", "--json").stdout)
    assert row == {"n": 1}
