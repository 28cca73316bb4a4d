"""A disk that takes no more, as a limit on the size of a file: what is stored stays whole, and can be reported on."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from tests.cli.conftest import Bedrock, Finished, Harness
from tests.cli.test_lost_output import run_in_shell
from tests.processes import only_run

LONG = "--repeats 200 --target claude-haiku-4-5/global/converse --quiet --figures errors"


def test_a_full_disk_during_the_load_keeps_the_journal(
    harness: Harness, suite: Path, bedrock: Bedrock, tmp_path: Path
) -> None:
    done = run_in_shell(tmp_path, f"ulimit -f 32; $HARNESS run {suite} --endpoint {bedrock.url} {LONG}")
    run = only_run(tmp_path)
    told = [
        f"{run.relative_to(tmp_path)}/attempts.jsonl: the journal cannot be written: File too large; what was already "
        "written is kept",
        f"the run failed; to report on what was recorded, use `harness report {run.relative_to(tmp_path)}`",
    ]
    assert (4, told) == (done.returncode, done.stderr.splitlines())
    assert 4 == harness("report", run).returncode
    assert [] == [path.name for path in run.iterdir() if path.suffix in (".jsonl", ".partial")]


def test_a_full_disk_before_the_load_leaves_no_folder(suite: Path, bedrock: Bedrock, tmp_path: Path) -> None:
    done = run_in_shell(tmp_path, f"ulimit -f 2; $HARNESS run {suite} --endpoint {bedrock.url} {LONG}")
    assert (2, True) == (done.returncode, "cannot be written: File too large" in done.stderr), done.stderr
    assert [] == list((tmp_path / "results").iterdir())


def test_a_full_disk_during_a_report_leaves_the_old_one(finished: Finished, tmp_path: Path) -> None:
    shutil.copytree(finished.folder, tmp_path / "run")
    before = contents(tmp_path / "run")
    done = run_in_shell(tmp_path, "ulimit -f 2; $HARNESS report run --figures errors")
    assert done.returncode in (2, 4)
    assert "too large" in done.stderr.lower()
    assert "Traceback" not in done.stderr
    assert before == contents(tmp_path / "run")


def contents(folder: Path) -> dict[str, str]:
    """Every file of a folder, with its digest."""
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}
