"""A check function that timed out is run again, and no judge is asked, or paid, for a verdict that is stored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb

from tests.cli.conftest import Harness
from tests.processes import only_run

SUITE = """\
suite: slow
defaults: {max_tokens: 8}
targets: [{model: claude-haiku-4-5, routing: [global, us]}]
baseline: claude-haiku-4-5/global/converse
judges: {strict: {model: claude-opus-4-5, routing: us}}
prompts:
  - id: p
    prompt: Capital of France?
    expect: Paris
    checks:
      - {type: judge, judge: strict, rubric: Is it right?}
      - {type: python, file: checks.py, function: grade, timeout: 1s}
"""
CHECKS = """\
import os, time

def grade(case):
    while os.path.exists({busy!r}):
        time.sleep(0.01)
    return True
"""


def scores(run: Path, scorer: str) -> list[tuple[Any, ...]]:
    return duckdb.execute(
        "SELECT * FROM read_parquet(?) WHERE scorer = ? ORDER BY ALL", [str(run / "scores.parquet"), scorer]
    ).fetchall()


def test_a_check_that_timed_out_is_run_again_and_no_paid_verdict_is_asked_for_again(
    tmp_path: Path, harness: Harness, make_bedrock: Any
) -> None:
    busy = tmp_path / "busy"
    busy.touch()
    (tmp_path / "checks.py").write_text(CHECKS.format(busy=str(busy)))
    (tmp_path / "slow.yaml").write_text(SUITE)
    bedrock = make_bedrock("--suite", str(tmp_path / "slow.yaml"), "--speed", "20")
    sent = harness("run", "slow.yaml", "--endpoint", bedrock.url, "--quiet", "--json")
    run = only_run(tmp_path)
    assert {"scorer failed: grade: took more than 1 s"} == {row[4] for row in scores(run, "python")}
    [finding] = [each for each in json.loads(sent.stdout)["findings"] if "not scored" in each["what"]]
    assert "`harness report RUN --judge --suite FILE` tries again only what failed" in finding["remedy"]
    verdicts, paid = scores(run, "judge"), json.loads(sent.stdout)["judging_cost_usd"]
    assert 4 == len(bedrock.truth())  # two targets, and the judge of each

    harness("report", run)  # which runs no function
    assert [None, None] == [row[3] for row in scores(run, "python")]
    busy.unlink()
    again = harness("report", run, "--judge", "--suite", "slow.yaml", "--json")
    assert [True, True] == [row[3] for row in scores(run, "python")]
    assert verdicts == scores(run, "judge")
    assert paid == json.loads(again.stdout)["judging_cost_usd"]
    assert [] == bedrock.truth()
