"""`harness.run`: from a script, inside an event loop, and interrupted."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import harness
from harness.library.running import run_in_thread
from harness.load.interrupts import Interrupts
from tests.canary import CREDENTIALS

ONE = "claude-haiku-4-5/us/converse"
SCRIPT = f"""
import signal
import harness
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started the tests with Ctrl-C ignored
try:
    harness.run("tiny.yaml", targets=[{ONE!r}], repeats=2000)
except KeyboardInterrupt:
    print("KeyboardInterrupt")
"""


async def test_a_suite_runs_inside_a_running_event_loop(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = harness.run("tiny.yaml", seed=7)
    assert ("complete", 7) == (run.manifest.state, run.manifest.seed)
    assert (4, True) == (len(run.requests().fetchall()), (run.path / "report.html").exists())
    assert ("", "") == capfd.readouterr()
    assert run.path == harness.open_run("latest").path
    assert run.path.name in (here / "results" / "index.html").read_text()


async def test_a_loop_goes_on_beside_a_run_in_a_thread(here: Path) -> None:
    running = asyncio.create_task(asyncio.to_thread(harness.run, "tiny.yaml", targets=[ONE], out="elsewhere"))
    turns = 0
    while not running.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert here / "elsewhere" == (await running).path.resolve().parent
    assert turns > 100


def test_progress_and_notes_go_to_standard_error_on_request(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (here / "tiny.yaml").write_text((here / "tiny.yaml").read_text().replace(", checks: [{type: exact}]", ""))
    harness.run("tiny.yaml", targets=[ONE], progress=True)
    out, err = capfd.readouterr()
    assert "" == out
    assert "note: default check 'exact'" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"repeats": 0}, "repeats=0: must be from 1 to 10,000,000"),
        ({"seed": -1}, "seed=-1: must be from 0"),
        ({"workers": 0}, "workers=0: must be from 1 to 256"),
        ({"targets": ["claude"]}, "the suite has no such target"),
        ({"budget_usd": -1.0}, "must be finite and more than 0"),
        ({"out": "s3://bucket/results"}, "is not a path on this machine"),
        ({"endpoint": "ftp://x"}, "ftp://x"),
    ],
)
def test_bad_arguments_raise_before_anything_is_sent(here: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(harness.HarnessError, match=message):
        harness.run("tiny.yaml", **options)  # type: ignore[arg-type]
    assert 1 == len(list((here / "results").glob("*/")))


def test_mistakes_in_a_suite_are_all_told(here: Path) -> None:
    (here / "tiny.yaml").write_text("suite: x\ntargets: []\n")
    with pytest.raises(harness.SuiteError) as raised:
        harness.run("tiny.yaml")
    assert len(raised.value.mistakes) >= 2


@pytest.fixture
def child(here: Path) -> Iterator[subprocess.Popen[str]]:
    """A script that runs a long suite and has journaled its first attempts; killed if it still runs at the end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        cwd=here,
        env={**environment, **CREDENTIALS},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        try:
            while not any(path.stat().st_size for path in here.glob("results/*/attempts.jsonl")):
                assert started.poll() is None, started.communicate()
                time.sleep(0.01)
            yield started
        finally:
            started.kill()


def test_ctrl_c_finishes_what_is_in_flight_reports_and_is_raised_again(child: subprocess.Popen[str]) -> None:
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=120)
    assert ("KeyboardInterrupt\n", 0) == (out, child.returncode), err
    assert "finishing requests in flight" in err
    run = harness.open_run("latest")
    assert "interrupted" == run.manifest.state
    assert {(True,)} == set(run.attempts().select("ok").fetchall())
    assert not run.valid


def test_ctrl_c_twice_stops_at_once_and_leaves_the_journal(child: subprocess.Popen[str]) -> None:
    assert child.stderr is not None
    child.send_signal(signal.SIGINT)
    told = iter(child.stderr.readline, "")
    assert any("finishing requests in flight" in line for line in told)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=120)
    assert "KeyboardInterrupt\n" == out, err
    with pytest.raises(harness.StoreError, match=r"was (stopped|killed) before it ended; `harness report"):
        harness.open_run("latest")


def test_what_the_work_raises_is_raised() -> None:
    with pytest.raises(harness.RunInvalid, match="failed"):
        run_in_thread(_fail, Interrupts())


def _fail() -> None:
    raise harness.RunInvalid("failed")
