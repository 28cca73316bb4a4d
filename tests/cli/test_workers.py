"""A load shared by several processes: the same plan, one journal each, and nothing lost if one is killed."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.canary import NO_CREDENTIALS
from tests.cli.conftest import Bedrock, Finished
from tests.processes import is_running, only_run, wait_until

SLOW = """\
suite: slow
targets: [{model: claude-haiku-4-5, routing: global, api: converse, client: aioboto3}]
load: {concurrency: 4, repeats: 200}
prompts: [{id: a, prompt: Say a., expect: a}]
"""


def journaled(folder: Path) -> bool:
    journals = list(folder.glob("results/*/attempts*.jsonl"))
    return len(journals) == 2 and all(journal.stat().st_size for journal in journals)


def workers_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [
        child
        for child in map(int, children)
        if "harness.load.workers.worker" in Path(f"/proc/{child}/cmdline").read_text()
    ]


def test_two_workers_send_exactly_what_one_process_sends(
    harness: Any, suite: Path, bedrock: Bedrock, finished: Finished, tmp_path: Path
) -> None:
    done = harness("run", suite, "--endpoint", bedrock.url, "--seed", "3", "--workers", "2", "--quiet")
    assert (0, "") == (done.returncode, done.stderr)
    asked = "SELECT request_id, target, prompt_id, repeat, phase, text FROM read_parquet(?) ORDER BY ALL"
    alone, together = (
        duckdb.execute(asked, [str(run / "attempts.parquet")]).fetchall()
        for run in (finished.folder, only_run(tmp_path))
    )
    assert [row[:-1] for row in alone] == [row[:-1] for row in together]
    manifest = json.loads((only_run(tmp_path) / "manifest.json").read_text())
    assert [0, 1] == [client["worker"] for client in manifest["clients"]]
    assert not list(only_run(tmp_path).glob("*.jsonl"))


def test_more_workers_than_slots_are_rejected(harness: Any, suite: Path, tmp_path: Path) -> None:
    done = harness("run", suite, "--workers", "3", "--quiet")
    assert 2 == done.returncode
    assert done.stderr.startswith("error: --workers 3: the load has 2 slots (load.concurrency)")
    assert not (tmp_path / "results").exists()


def test_an_error_in_opening_a_workers_clients_is_reported_once(harness: Any, suite: Path, tmp_path: Path) -> None:
    empty = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, **NO_CREDENTIALS}
    done = harness("run", suite, "--endpoint", "aws", "--workers", "2", "--quiet", "--no-preflight", **empty)
    assert (2, 1) == (done.returncode, len(done.stderr.splitlines()))
    assert "credentials" in done.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "term"])
def test_a_signal_to_all_processes_finishes_what_every_worker_has_in_flight(
    start_harness: Any, bedrock: Bedrock, tmp_path: Path, number: int
) -> None:
    (tmp_path / "slow.yaml").write_text(SLOW)
    child = start_harness("run", "slow.yaml", "--endpoint", bedrock.url, "--workers", "2")
    wait_until(lambda: journaled(tmp_path))
    for pid in (*workers_of(child.pid), child.pid):
        os.kill(pid, number)
    _, err = child.communicate(timeout=60)
    assert 130 == child.returncode, err
    (rows,) = duckdb.execute(
        "SELECT count(*) FILTER (ok), count(*) FROM read_parquet(?)", [str(only_run(tmp_path) / "attempts.parquet")]
    ).fetchall()
    assert rows[0] == rows[1] > 0


def test_the_second_ctrl_c_ends_the_workers_without_output(
    start_harness: Any, bedrock: Bedrock, tmp_path: Path
) -> None:
    (tmp_path / "slow.yaml").write_text(SLOW)
    child = start_harness("run", "slow.yaml", "--endpoint", bedrock.url, "--workers", "2", "--quiet")
    wait_until(lambda: journaled(tmp_path))
    os.kill(child.pid, signal.SIGSTOP)  # so that both signals find requests in flight
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
        os.kill(child.pid, number)
    _, err = child.communicate(timeout=60)
    lines = err.splitlines()
    assert (130, ["", "interrupted: finishing requests in flight; interrupt again to stop at once"]) == (
        child.returncode,
        lines[:-1],
    )
    assert lines[-1].startswith("stopped; ")


@pytest.mark.parametrize("who", ["worker", "main"])
def test_whichever_process_is_killed_nothing_in_the_journals_is_lost(
    start_harness: Any, harness: Any, bedrock: Bedrock, tmp_path: Path, who: str
) -> None:
    (tmp_path / "slow.yaml").write_text(SLOW)
    child = start_harness("run", "slow.yaml", "--endpoint", bedrock.url, "--workers", "2", "--quiet")
    wait_until(lambda: journaled(tmp_path))
    workers = workers_of(child.pid)
    assert 2 == len(workers)
    os.kill(workers[0] if who == "worker" else child.pid, signal.SIGKILL)
    _, err = child.communicate(timeout=60)
    wait_until(lambda: not any(map(is_running, workers)))
    lines = sum(text.count("\n") for text in (path.read_text() for path in only_run(tmp_path).glob("*.jsonl")))
    assert lines > 0
    if who == "worker":
        assert 4 == child.returncode
        assert "worker 0 ended before it had sent its part of the load (exit code -9)" in err
    assert "Traceback" not in err
    again = harness("report", only_run(tmp_path))
    assert 4 == again.returncode, again.stderr
    ((rows,),) = duckdb.execute(
        "SELECT count(*) FROM read_parquet(?)", [str(only_run(tmp_path) / "attempts.parquet")]
    ).fetchall()
    assert lines == rows


def test_two_workers_together_stay_within_the_budget(harness: Any, bedrock: Bedrock, tmp_path: Path) -> None:
    suite = tmp_path / "slow.yaml"
    suite.write_text(SLOW.replace("client: aioboto3", "max_tokens: 100"))
    done = harness("run", suite, "--endpoint", bedrock.url, "--workers", "2", "--quiet", "--budget", "0.02")
    assert 4 == done.returncode, done.stderr
    (path,) = tmp_path.glob("results/*/attempts.parquet")
    ((sent, spent_usd),) = duckdb.execute("SELECT count(*), sum(cost_usd) FROM read_parquet(?)", [str(path)]).fetchall()
    assert 0 < sent < 200
    assert 0 < spent_usd <= 0.02
    assert "the budget of $0.02 does not pay for the next request" in (only_run(tmp_path) / "manifest.json").read_text()
