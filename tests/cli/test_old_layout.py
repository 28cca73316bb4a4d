"""Every command can open a run folder from before suite.json, which has only suite.yaml."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

(KEPT,) = (Path(__file__).parent / "data" / "yaml_suite").iterdir()
HAIKU, SONNET = "claude-haiku-4-5/global/converse", "claude-sonnet-4-6/us/converse"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A copy of the run in results/."""
    return Path(shutil.copytree(KEPT, tmp_path / "results" / KEPT.name))


def test_it_is_reported(command: Any, run: Path) -> None:
    done = command("report", run, "--json")
    assert 0 == done.returncode, done.stderr
    summary = json.loads(done.stdout)
    assert ("quickstart", [HAIKU, SONNET]) == (summary["suite"], [each["target"] for each in summary["targets"]])
    assert {"report.html", "report.md", "summary.json"} <= {path.name for path in run.iterdir()}


def test_its_targets_are_compared(command: Any, run: Path) -> None:
    done = command("compare", run, "--json")
    report = json.loads(done.stdout)
    assert json.loads((run / "manifest.json").read_text())["suite_digest"] == report["suite_digest"]
    assert [SONNET] == [each["candidate"]["target"] for each in report["comparisons"]]


def test_it_is_gated(command: Any, run: Path) -> None:
    done = command("gate", run)
    assert done.returncode in (0, 1), done.stderr
    assert "paired by prompt, Holm over 5" in (run / "gate.md").read_text()


def test_it_has_a_history(command: Any, run: Path) -> None:
    done = command("history", "--json")
    assert 0 == done.returncode, done.stderr
    assert run.name in done.stdout


def test_it_is_queried(command: Any, run: Path) -> None:
    done = command("query", "SELECT count(*) AS n FROM attempts", "--json")
    assert 0 == done.returncode, done.stderr
    assert "84" in done.stdout
