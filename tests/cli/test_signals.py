"""Signals to the real command: a clear end, exit code 130, nothing lost, and no process left behind."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Bedrock, Finished
from tests.processes import descendants, is_running, only_run, wait_for_attempts, wait_until

pytestmark = pytest.mark.usefixtures("hangup")

LONG = ("--repeats", "200", "--quiet", "--target", "claude-haiku-4-5/global/converse")
FINISHING = "interrupted: finishing requests in flight; interrupt again to stop at once"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["term", "hup"])
def test_a_signal_to_end_finishes_what_is_in_flight_and_reports(
    start_harness: Any, suite: Path, bedrock: Bedrock, tmp_path: Path, number: int
) -> None:
    child = start_harness("run", suite, *LONG, "--endpoint", bedrock.url)
    wait_for_attempts(tmp_path, child)
    child.send_signal(number)
    _, err = child.communicate(timeout=60)
    assert (130, ["", FINISHING]) == (child.returncode, err.splitlines())
    assert (only_run(tmp_path) / "report.html").exists()


def test_five_interrupts_end_a_run_once(start_harness: Any, suite: Path, bedrock: Bedrock, tmp_path: Path) -> None:
    child = start_harness("run", suite, *LONG, "--endpoint", bedrock.url)
    wait_for_attempts(tmp_path, child)
    os.kill(child.pid, signal.SIGSTOP)  # so that the first two find requests in flight
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCONT):
        os.kill(child.pid, number)
    while child.poll() is None:  # and all others something to cut short
        os.kill(child.pid, signal.SIGINT)
        os.kill(child.pid, signal.SIGTERM)
        time.sleep(0.01)
    _, err = child.communicate(timeout=60)
    told = err.splitlines()
    assert (130, ["", FINISHING]) == (child.returncode, told[:2])
    assert [True] == [line.startswith("stopped; ") for line in told[2:]]
    assert b'"interrupted"' in (only_run(tmp_path) / "manifest.json").read_bytes()


def test_nohup_is_respected(start_harness: Any, suite: Path, bedrock: Bedrock, tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a child inherits it
    try:
        child = start_harness("run", suite, *LONG, "--endpoint", bedrock.url)
    finally:
        signal.signal(signal.SIGHUP, before)
    wait_for_attempts(tmp_path, child)
    child.send_signal(signal.SIGHUP)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert 1 == err.count(FINISHING)
    assert "stopped" not in err


def test_sigterm_ends_a_command_that_ignores_ctrl_c_in_the_background_of_a_script(
    start_harness: Any, finished: Finished
) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as `sh -c 'harness … &'` does
    try:
        child = start_harness("query", "SELECT * FROM range(1000000000)", "--run", finished.folder, "--csv")
    finally:
        signal.signal(signal.SIGINT, before)
    child.stdout.readline()
    child.send_signal(signal.SIGTERM)
    child.stdout.close()
    assert 130 == child.wait(timeout=20)


def test_no_process_survives_a_killed_run(start_harness: Any, suite: Path, tmp_path: Path) -> None:
    child = start_harness("run", suite, *LONG, "--workers", "2")  # the simulator, two workers and the reporter
    wait_for_attempts(tmp_path, child)
    processes = descendants(child.pid)
    assert 4 == len(processes)
    child.kill()
    child.wait()
    wait_until(lambda: not any(map(is_running, processes)))
