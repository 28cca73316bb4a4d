"""Output that nobody reads: closed streams, full disks, lost terminals. The run and its report are written."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Bedrock, environment
from tests.processes import only_run, wait_for_attempts

pytestmark = pytest.mark.usefixtures("hangup")

LONG = ("--repeats", "200", "--target", "claude-haiku-4-5/global/converse")
VALID = (0, 4)
"""A short run on a busy machine may be invalid."""


def run_in_shell(folder: Path, line: str, **more: str) -> subprocess.CompletedProcess[str]:
    """`sh -c LINE`, in which `$HARNESS` is the command."""
    command = f"{sys.executable} -m harness"
    return subprocess.run(
        ["sh", "-c", line],
        cwd=folder,
        env=environment(HARNESS=command, **more),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_run_needs_no_open_streams(suite: Path, bedrock: Bedrock, tmp_path: Path) -> None:
    done = run_in_shell(tmp_path, f"$HARNESS run {suite} --endpoint {bedrock.url} --figures errors <&- >&- 2>&-")
    assert done.returncode in VALID
    assert "" == done.stderr
    run = only_run(tmp_path)
    assert (run / "report.html").exists()
    assert b"note:" not in b"".join(path.read_bytes() for path in run.glob("*.json*"))


def test_messages_that_cannot_be_written_do_not_end_a_command(suite: Path, tmp_path: Path) -> None:
    done = run_in_shell(tmp_path, f"$HARNESS run {suite} --dry-run 2>/dev/full")
    assert 0 == done.returncode
    assert "requests" in done.stdout


def test_results_that_cannot_be_printed_are_an_error(tmp_path: Path) -> None:
    done = run_in_shell(tmp_path, "$HARNESS models > /dev/full")
    assert (4, "error: output: No space left on device; free some space\n") == (done.returncode, done.stderr)


def test_characters_that_the_encoding_lacks_are_replaced(suite: Path, tmp_path: Path) -> None:
    done = run_in_shell(tmp_path, f"$HARNESS run {suite} --dry-run", PYTHONIOENCODING="ascii:strict")
    assert (0, True) == (done.returncode, done.stdout.isascii()), done.stderr
    assert "?" in done.stdout


def test_a_lost_terminal_ends_the_run_with_its_report(suite: Path, bedrock: Bedrock, tmp_path: Path) -> None:
    terminal, end = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "harness",
        "run",
        str(suite),
        *LONG,
        "--endpoint",
        bedrock.url,
        "--figures",
        "errors",
    ]
    child = subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdin=end, stdout=end, stderr=end, start_new_session=True
    )
    os.close(end)
    wait_for_attempts(tmp_path, child)
    os.close(terminal)
    child.send_signal(signal.SIGHUP)
    assert 130 == child.wait(timeout=60)
    run = only_run(tmp_path)
    assert (run / "report.html").exists()
    assert [] == list(run.glob("*.jsonl"))


def test_the_reader_of_a_pipe_may_leave(suite: Path, tmp_path: Path) -> None:
    done = run_in_shell(tmp_path, f"($HARNESS run {suite} --dry-run; echo $? >&2) | head -1")
    assert (1, "0") == (len(done.stdout.splitlines()), done.stderr.splitlines()[-1])
