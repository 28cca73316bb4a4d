"""The shipped suite `judged`, run by the real command: judges, pairs, check functions, and their stored results."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest

from tests.processes import only_run

VALID_OR_NOT = (0, 4)
"""Exit code 4 is fine: on a busy machine the client may be the bottleneck, which does not matter here."""
SUITES = Path(__file__).parents[2] / "suites"


class Judged(NamedTuple):
    """A finished run in a folder of its own, and the server that answered it."""

    home: Path
    run: Path
    bedrock: Any
    summary: dict[str, Any]


@pytest.fixture
def judged(tmp_path: Path, harness: Any, make_bedrock: Any) -> Judged:
    shutil.copy(SUITES / "judged.yaml", tmp_path)
    shutil.copytree(SUITES / "judged", tmp_path / "judged", ignore=shutil.ignore_patterns("__pycache__"))
    bedrock = make_bedrock("--suite", str(SUITES / "judged.yaml"), "--speed", "20")
    done = harness("run", "judged.yaml", "--endpoint", bedrock.url, "--repeats", "2", "--quiet", "--json")
    assert done.stderr == ""
    assert done.returncode in VALID_OR_NOT
    return Judged(tmp_path, only_run(tmp_path), bedrock, json.loads(done.stdout))


def scores(run: Path) -> list[tuple[Any, ...]]:
    return duckdb.sql(f"SELECT * FROM read_parquet('{run}/scores.parquet') ORDER BY ALL").fetchall()


def test_a_run_is_judged_compared_and_reported_and_no_judge_is_asked_twice(judged: Judged, harness: Any) -> None:
    """One test of one run, since the steps build on each other."""
    summary, first = judged.summary, scores(judged.run)
    assert {"judge", "pairwise", "python", "similarity", "tool_call", "contains"} == {row[1] for row in first}
    [strict] = summary["judges"]
    assert (strict["labels"], strict["failed"]) == (16, 0)
    assert strict["kappa"]["value"] > 0.5
    assert summary["judging_cost_usd"] == pytest.approx(strict["cost_usd"])
    _, candidate = summary["targets"]
    assert candidate["preference"]["pairs"] == 6
    assert (candidate["several"]["answers"], sorted(candidate["several"]["pass_at"])) == (2, ["1", "2"])
    markdown = (judged.run / "report.md").read_text()
    assert all(
        f"## {title}" in markdown for title in ("Several answers to a prompt", "Preferred to the baseline", "Judges")
    )
    assert "Cohen's kappa" in (judged.run / "report.html").read_text().replace("&#39;", "'")

    asked = len(judged.bedrock.truth())
    assert asked > strict["asked"] > 0
    again = harness("report", judged.run, "--json")
    assert json.loads(again.stdout) == summary
    assert scores(judged.run) == first
    assert [] == judged.bedrock.truth()

    checks, frozen = judged.home / "judged" / "checks.py", judged.run / "suite.json"
    (judged.run / "judgements.jsonl").unlink()
    ungraded = harness("report", judged.run, "--json")
    assert "checks not graded: check functions are never run from a run's folder; " in ungraded.stderr
    assert {row[4][:10] for row in scores(judged.run) if row[1] == "python"} == {"not graded"}
    regraded = harness("report", judged.run, "--suite", "judged.yaml", "--json")
    assert "not graded" not in regraded.stderr
    assert [row for row in scores(judged.run) if row[1] == "python"] == [row for row in first if row[1] == "python"]

    own = checks.read_text()
    checks.write_text(own + "\n# changed\n")
    (judged.run / "judgements.jsonl").unlink()
    suite = frozen.read_text()
    frozen.write_text(suite.replace(f'"endpoint":"{judged.bedrock.url}"', '"endpoint":"aws"'))
    unreached = harness("report", judged.run, "--judge", "--suite", "judged.yaml", "--json")
    assert unreached.returncode in VALID_OR_NOT
    assert "warning: the judges cannot be reached: " in unreached.stderr
    assert "ask them later with `harness report" in unreached.stderr
    assert json.loads(unreached.stdout)["judging_cost_usd"] is None
    reasons = {row[1]: row[4] for row in scores(judged.run)}
    assert "not judged yet" in reasons["judge"]
    assert "checks.py has changed since the run was made" in reasons["python"]

    frozen.write_text(suite)
    final = harness("report", judged.run, "--judge", "--json")
    assert "asking the judges" in final.stderr
    assert strict["asked"] == len(judged.bedrock.truth())
