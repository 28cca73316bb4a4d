"""`harness run --resume`: a run that ended early, however it did, is completed: nothing lost, nothing doubled."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from harness.store.manifest import Manifest
from harness.store.run_folder import RunFolder
from tests.cli.conftest import Bedrock
from tests.processes import only_run, wait_until

SUITE = """\
suite: slow
targets:
  - {model: claude-haiku-4-5, routing: [global, us], api: converse}
load: {concurrency: 8, repeats: 10, warmup: 2}
prompts:
  - {id: a, prompt: Say a., expect: a, checks: [{type: contains}]}
  - {id: b, prompt: Say b., expect: b, checks: [{type: contains}]}
"""
PLANNED = 2 * (2 * 10 + 2)


def manifest_of(folder: Path) -> Manifest:
    return RunFolder(only_run(folder)).read_manifest()


def lines_of(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("results/*/attempts*.jsonl"))


def select(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = duckdb.execute(
        sql.replace("RUN", f"'{only_run(folder)}/attempts.parquet'")
    ).fetchall()
    return rows


def assert_whole(folder: Path, planned: int = PLANNED) -> None:
    """Every request of the plan is answered exactly once, and no attempt has another one's id."""
    ((rows, ids, answered, requests),) = select(
        folder,
        "SELECT count(*), count(DISTINCT attempt_id), count(*) FILTER (ok), count(DISTINCT request_id) FILTER (ok)"
        " FROM RUN",
    )
    assert (rows, planned, planned) == (ids, answered, requests)
    manifest = manifest_of(folder)
    assert ("complete", rows) == (manifest.state, manifest.attempts)
    assert [] == list(only_run(folder).glob("*.jsonl"))


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    path = tmp_path / "slow.yaml"
    path.write_text(SUITE)
    return path


def test_a_killed_run_is_completed_and_answers_nothing_twice(
    start_harness: Any, harness: Any, bedrock: Bedrock, slow: Path
) -> None:
    folder = slow.parent
    child = start_harness("run", slow, "--endpoint", bedrock.url, "--quiet", "--workers", "2")
    wait_until(lambda: lines_of(folder) > 10)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate(timeout=60)
    done = harness("run", "--resume", only_run(folder))
    assert done.returncode in (0, 4), done.stderr
    assert "requests are recorded, " in done.stderr
    assert_whole(folder)
    (late,) = select(folder, "SELECT bool_and(due_ns >= 0), max(done_ns) < 60e9 FROM RUN")
    assert (True, True) == late
    findings = json.loads((only_run(folder) / "summary.json").read_text())["findings"]
    assert ["the run was resumed"] == [each["what"][:19] for each in findings if "sessions" in each["what"]]
    bedrock.truth()


def test_interrupts_may_end_a_run_as_often_as_they_like(
    start_harness: Any, harness: Any, bedrock: Bedrock, slow: Path
) -> None:
    """Once after the requests in flight, once at once, which cancels them."""
    folder = slow.parent
    child = start_harness("run", slow, "--endpoint", bedrock.url, "--quiet")
    wait_until(lambda: lines_of(folder) > 4)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert 130 == child.returncode
    assert "harness run --resume" in out + err
    child = start_harness("run", "--resume", only_run(folder), "--quiet")
    wait_until(lambda: lines_of(folder) > 4)
    child.send_signal(signal.SIGSTOP)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
        child.send_signal(number)
    _, err = child.communicate(timeout=60)
    assert (130, True) == (child.returncode, f"harness run --resume {only_run(folder)}" in err)
    assert harness("run", "--resume", only_run(folder), "--quiet").returncode in (0, 4)
    assert_whole(folder)
    ((cancelled, most),) = select(folder, "SELECT count(*) FILTER (error_kind = 'cancelled'), max(try_no) FROM RUN")
    assert cancelled > 0
    assert 2 == most
    summary = json.loads((only_run(folder) / "summary.json").read_text())
    assert [20, 20] == [target["requests"] for target in summary["targets"]]
    assert not any("interrupted" in each["what"] or "cancelled" in each["what"] for each in summary["findings"])


def test_two_processes_cannot_work_on_one_run(start_harness: Any, harness: Any, bedrock: Bedrock, slow: Path) -> None:
    folder = slow.parent
    child = start_harness("run", slow, "--endpoint", bedrock.url, "--quiet")
    wait_until(lambda: lines_of(folder) > 0)
    for line in (("run", "--resume", only_run(folder)), ("report", only_run(folder)), ("compare", only_run(folder))):
        done = harness(*line)
        assert (2, True) == (done.returncode, f"process {child.pid} (since " in done.stderr), done.stderr
    child.kill()
    child.communicate()
    assert harness("run", "--resume", only_run(folder), "--quiet").returncode in (0, 4)
    assert_whole(folder)


def test_a_run_without_prompts_is_resumed_with_its_suites_file(harness: Any, bedrock: Bedrock, slow: Path) -> None:
    slow.write_text(slow.read_text().replace("warmup: 2", "warmup: 2, store_text: false"))
    spent = harness("run", slow, "--endpoint", bedrock.url, "--quiet", "--budget", "0.01")
    assert (4, "interrupted") == (spent.returncode, manifest_of(slow.parent).state)
    run = only_run(slow.parent)
    alone = harness("run", "--resume", run, "--budget", "10")
    assert 2 == alone.returncode
    assert "stores no prompts, or redacted ones (load.store_text, load.redact)" in alone.stderr
    assert f"name the suite's file too: harness run SUITE --resume {run}" in alone.stderr
    done = harness("run", slow, "--resume", run, "--budget", "10", "--quiet")
    assert 0 == done.returncode, done.stderr
    assert_whole(slow.parent)
    assert [(0,)] == select(slow.parent, "SELECT count(text) FROM RUN")
    assert "Say a." not in "".join(path.read_text("utf-8", "replace") for path in run.rglob("*.json"))
