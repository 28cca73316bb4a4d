"""The process that writes a run's report: in a process of its own, which has no threads yet."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[3] / "results" / "example"
START = """
import os, sys, types
from multiprocessing import active_children
from pathlib import Path
sys.modules["harness.report.figures"] = types.SimpleNamespace(FIGURES={})  # they take most of a report's time
from harness.cli.running.reporter import open_reporter, write_report
from harness.report.plots import ALL_PLOTS
from harness.store.run_folder import RunFolder
run = RunFolder(Path(sys.argv[1]))
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The example's stored attempts and scores, without reports."""
    folder = tmp_path / "results" / "example"
    folder.mkdir(parents=True)
    for name in ("attempts.parquet", "manifest.json", "scores.parquet", "suite.json"):
        shutil.copy(EXAMPLE / name, folder)
    return folder


def run_alone(code: str, run: Path) -> list[str]:
    """What the code prints in a fresh process, line by line."""
    ended = subprocess.run(
        [sys.executable, "-c", START + code, run],
        env={"OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (0, "") == (ended.returncode, ended.stderr)
    return ended.stdout.splitlines()


def test_another_process_imports_what_the_report_needs_and_writes_it(run: Path) -> None:
    code = """
with open_reporter() as reporter:
    report = reporter(write_report, run, run.read_suite(), ALL_PLOTS)
print(report.summary.run_id == run.read_manifest().run_id, report.page.name, active_children())
"""
    assert ["True report.html []"] == run_alone(code, run)
    assert (run / "report.html").stat().st_size > 0


def test_this_process_loads_nothing_to_print_the_report_and_bring_the_index_up_to_date(run: Path) -> None:
    code = """
import harness.cli.running.run_suite, rich.console
from harness.cli.index import update_index
from harness.cli.running.grade_and_report import print_summary
with open_reporter() as reporter:
    report = reporter(write_report, run, run.read_suite(), ALL_PLOTS)
    reporter(update_index, run.path.parent, create=True)
print_summary(report, as_json=False)
print([name for name in ("scipy", "jinja2", "matplotlib") if name in sys.modules])
"""
    *printed, loaded = run_alone(code, run)
    assert (f"Report: {run / 'report.html'}", "[]") == (printed[-1], loaded)
    assert (run.parent / "index.html").is_file()


def test_a_report_is_written_here_if_the_other_process_is_killed(run: Path) -> None:
    code = """
with open_reporter() as reporter:
    (process,) = active_children()
    process.kill()
    process.join()
    report = reporter(write_report, run, run.read_suite(), ALL_PLOTS)
print(report.page.name, "scipy" in sys.modules)
"""
    assert ["report.html True"] == run_alone(code, run)


def test_an_error_in_the_other_process_is_raised_here(run: Path) -> None:
    (run / "attempts.parquet").write_bytes(b"not Parquet")
    code = """
from harness.errors import StoreError
try:
    with open_reporter() as reporter:
        reporter(write_report, run, run.read_suite(), ALL_PLOTS)
except StoreError as error:
    print("attempts.parquet" in str(error) or "cannot be read" in str(error), active_children())
"""
    assert ["True []"] == run_alone(code, run)


def test_the_other_process_ends_without_a_report_where_there_is_no_run(run: Path) -> None:
    code = """
with open_reporter():
    print(len(active_children()))
print(active_children())
"""
    assert ["1", "[]"] == run_alone(code, run)


def test_with_other_threads_the_report_is_written_here(run: Path) -> None:
    code = """
import threading
over = threading.Event()
threading.Thread(target=over.wait).start()
with open_reporter() as reporter:
    print(active_children())
    reporter(write_report, run, run.read_suite(), ALL_PLOTS)
over.set()
"""
    assert ["[]"] == run_alone(code, run)
    assert (run / "report.html").is_file()
