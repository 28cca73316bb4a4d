"""What ends a target, or a whole run, early: errors beyond `stop.max_error_rate`, and credentials that fail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from harness.store.run_folder import RunFolder
from harness.suite.loader import load_suite
from harness.suite.suite import StopRules
from tests.cli.conftest import Bedrock, Harness
from tests.processes import only_run

SUITE = """\
suite: stopping
defaults: {max_tokens: 8}
targets:
  - {model: claude-haiku-4-5, routing: global, api: converse, label: failing}
  - {model: claude-sonnet-4-6, routing: global, api: converse, label: sound}
baseline: sound
load: {concurrency: 2, repeats: 20}
stop: {max_error_rate: 0.5, window: 10}
gate: {error_rate: 5pp}
prompts:
  - {id: a, prompt: Say a., expect: a, checks: [{type: contains}]}
  - {id: b, prompt: Say b., expect: b, checks: [{type: contains}]}
"""
PLANNED = 2 * 20


@pytest.fixture
def stopping(tmp_path: Path) -> Path:
    path = tmp_path / "stopping.yaml"
    path.write_text(SUITE)
    return path


def sent(run: Path) -> dict[str, int]:
    """Requests of each target with an attempt."""
    sql = "SELECT target, count(DISTINCT request_id) FROM read_parquet(?) GROUP BY target"
    return dict(duckdb.execute(sql, [str(run / "attempts.parquet")]).fetchall())


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_target_that_only_fails_is_stopped_and_is_not_compared(
    harness: Harness, make_bedrock: Any, stopping: Path, workers: str
) -> None:
    faults = '[{"fault": "server_error", "model": "claude-haiku-4-5"}]'
    url = make_bedrock("--speed", "20", "--faults", faults).url
    done = harness("run", stopping, "--endpoint", url, "--workers", workers, "--json", "--quiet")
    assert 4 == done.returncode, done.stderr
    run = only_run(stopping.parent)
    requests = sent(run)
    assert PLANNED == requests["sound"]
    assert 10 <= requests["failing"] < PLANNED
    summary = json.loads(done.stdout)
    assert "complete" == summary["state"]
    (finding,) = [each for each in summary["findings"] if "stopped early: of its latest" in each["what"]]
    assert finding["what"].startswith("failing: ")
    assert "failed (1" in finding["what"]
    assert "server_error" in finding["what"]
    compared = json.loads(harness("compare", run, "--json").stdout)
    assert "inconclusive" == compared["verdict"]
    assert any("failing: stopped early" in each["what"] for each in compared["findings"])
    assert [] == summary["winners"]  # of two targets, one is partial
    (listed,) = json.loads(harness("runs", "--json").stdout)["runs"]
    assert "complete" == listed["state"]
    assert f"harness run --resume {run.relative_to(stopping.parent)}" == listed["resume"]


def test_a_run_whose_targets_all_fail_ends(harness: Harness, make_bedrock: Any, stopping: Path) -> None:
    url = make_bedrock("--speed", "20", "--faults", '[{"fault": "server_error"}]').url
    assert 4 == harness("run", stopping, "--endpoint", url, "--quiet").returncode
    run = only_run(stopping.parent)
    assert max(sent(run).values()) < PLANNED
    manifest = RunFolder(run).read_manifest()
    assert "interrupted" == manifest.state
    assert any("every target was stopped" in finding.what for finding in manifest.findings)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_target_that_fails_to_its_last_request_was_not_stopped(
    harness: Harness, make_bedrock: Any, stopping: Path, workers: str
) -> None:
    stopping.write_text(SUITE.replace("window: 10", f"window: {PLANNED}"))
    faults = '[{"fault": "server_error", "model": "claude-haiku-4-5"}]'
    url = make_bedrock("--speed", "20", "--faults", faults).url
    done = harness("run", stopping, "--endpoint", url, "--workers", workers, "--json", "--quiet")
    assert 4 == done.returncode, done.stderr
    assert {"failing": PLANNED, "sound": PLANNED} == sent(only_run(stopping.parent))
    told = [each["what"] for each in json.loads(done.stdout)["findings"] if each["what"].startswith("failing: ")]
    assert [True] == [f"all {PLANNED} requests failed, most often with server_error" in what for what in told]


def test_the_rule_is_in_the_run_as_it_was_in_the_suite(harness: Harness, bedrock: Bedrock, stopping: Path) -> None:
    stopping.write_text(SUITE.replace("repeats: 20", "repeats: 1"))
    harness("run", stopping, "--endpoint", bedrock.url, "--quiet")
    run = only_run(stopping.parent)
    rules = StopRules(max_error_rate=0.5, window=10)
    assert rules == load_suite(run / "suite.yaml").stop == RunFolder(run).read_suite().stop


@pytest.mark.parametrize("workers", ["1", "2"])
def test_credentials_that_fail_end_the_run_which_is_completed_with_others(
    harness: Harness, make_bedrock: Any, stopping: Path, workers: str
) -> None:
    stopping.write_text(SUITE.replace("stop: {max_error_rate: 0.5, window: 10}\n", ""))
    expired = json.dumps([{"fault": "expired_token", "requests": list(range(8, 1000))}])
    url = make_bedrock("--speed", "20", "--faults", expired).url
    done = harness("run", stopping, "--endpoint", url, "--workers", workers, "--quiet")
    assert 4 == done.returncode, done.stderr
    run = only_run(stopping.parent)
    assert sum(sent(run).values()) < 2 * PLANNED
    manifest = RunFolder(run).read_manifest()
    assert "interrupted" == manifest.state
    (finding,) = [each for each in manifest.findings if "the credentials failed (" in each.what]
    assert "ExpiredToken" in finding.what
    assert "aws sso login" in finding.remedy
    sound = make_bedrock("--speed", "20").url
    resumed = harness("run", "--resume", run, "--endpoint", sound, "--workers", workers, "--quiet")
    assert resumed.returncode in (0, 4), resumed.stderr
    assert {"failing": PLANNED, "sound": PLANNED} == sent(run)
    unanswered = "SELECT count(*) FROM (SELECT bool_or(ok) AS ok FROM read_parquet(?) GROUP BY request_id) WHERE NOT ok"
    assert [(0,)] == duckdb.execute(unanswered, [str(run / "attempts.parquet")]).fetchall()
