"""The gate from outside: exit codes, what a CI system reads, the kept baseline, and the second look."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.store.run_folder import RunFolder


def test_a_worse_model_ends_with_one_and_every_reader_is_served(command: Any, upgrade: Any, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("# before\n")
    done = command(
        *("gate", upgrade.run, "--candidate", "dull", "--junit", "j.xml", "--markdown", "c.md"),
        GITHUB_STEP_SUMMARY=str(summary),
    )
    assert 1 == done.returncode, done.stderr
    assert "baseline: the suite's `baseline` target in the same run" in done.stderr
    assert "✗ worse: dull is worse than old on pass rate: −" in done.stdout
    root = ElementTree.parse(tmp_path / "j.xml").getroot()
    assert "1" == root.get("failures")
    assert ["pass rate"] == [case.get("name") for case in root.iter("testcase") if case.find("failure") is not None]
    comment = (tmp_path / "c.md").read_text()
    assert comment.startswith("### ✗ worse: upgrade")
    assert f"# before\n{comment}" == summary.read_text()
    assert comment == (upgrade.run / "gate.md").read_text()
    assert (tmp_path / "j.xml").read_bytes() == (upgrade.run / "junit.xml").read_bytes()


def test_the_same_model_ends_with_nought(command: Any, upgrade: Any) -> None:
    """By what does not hang on this machine: quality and cost."""
    done = command("gate", upgrade.run, "--candidate", "same")
    assert "✗ worse" not in done.stdout.partition("Exploratory")[0]
    assert done.returncode in (0, 3)


def test_the_same_model_asked_too_little_ends_with_three_and_says_what_it_takes(
    command: Any, finished: Any, tmp_path: Path
) -> None:
    """`whole` is claude-sonnet-4-6/us/invoke without streaming; three prompts cannot tell."""
    run = shutil.copytree(finished.folder, tmp_path / "tiny")  # others look into the folder, too
    done = command("gate", run, "--baseline", "claude-sonnet-4-6/us/invoke", "--candidate", "whole")
    assert 3 == done.returncode, done.stdout + done.stderr
    assert "? inconclusive: this cannot tell whether whole is as good as claude-sonnet-4-6/us/invoke" in done.stdout
    assert "would be settled by" in done.stdout
    assert "the suite has no gate; the default margins decide" in done.stdout


def test_an_invalid_run_ends_with_four_and_says_why(command: Any, upgrade: Any, tmp_path: Path) -> None:
    run = RunFolder(shutil.copytree(upgrade.run, tmp_path / "results" / "cut-short"))
    manifest = json.loads(run.manifest_path.read_text())
    run.manifest_path.write_text(json.dumps({**manifest, "state": "interrupted"}))
    done = command("gate", run.path, "--candidate", "dull")
    assert 4 == done.returncode
    assert "INVALID" in done.stdout
    assert '<error type="invalid"' in (run.path / "junit.xml").read_text()


def test_a_failed_request_is_a_failed_answer(
    harness: Any, command: Any, make_bedrock: Any, tmp_path: Path, upgrade_suite: Any
) -> None:
    path = tmp_path / "upgrade.yaml"
    path.write_text(upgrade_suite(20))
    throttling = make_bedrock("--suite", str(path), "--speed", "20", "--throttle-rate", "0.2")
    harness("run", path, "--endpoint", throttling.url, "--target", "old", "--target", "dull", "--quiet")
    (comparison,) = json.loads(command("compare", "--json").stdout)["comparisons"]
    failed = comparison["candidate"]["failed"]
    rows = {d["metric"]: d for d in comparison["differences"]}
    assert 0 < failed < 20
    assert failed / 20 == pytest.approx(rows["error_rate"]["candidate"])
    assert rows["pass_rate"]["candidate"] <= 1 - failed / 20
    assert "requests failed and are not in it" in rows["ttft_p50"]["note"]


def test_a_kept_baseline_is_used_until_another_is_named(
    command: Any, upgrade: Any, again: Path, tmp_path: Path
) -> None:
    shutil.copytree(upgrade.run, tmp_path / "results" / upgrade.run.name)
    assert "no baseline is kept" in command("baseline", "show").stdout
    done = command("baseline", "set", upgrade.run.name[:20])
    assert (0, "") == (done.returncode, done.stderr)
    assert {"upgrade": {"default": upgrade.run.name}} == json.loads(command("baseline", "show", "--json").stdout)
    done = command("gate", again.name[:4], "--candidate", "dull")
    assert f"baseline: run {upgrade.run.name}, kept by" in done.stderr
    assert done.returncode in (0, 3), done.stdout
    done = command("gate", again.name, "--candidate", "dull", "--baseline", "old")
    assert "baseline: target old in the same run" in done.stderr
    assert 1 == done.returncode
    done = command("gate", upgrade.run.name, "--candidate", "dull")
    assert "baseline: the suite's `baseline` target in the same run" in done.stderr


def test_a_kept_baseline_that_is_gone_is_told(command: Any, again: Path) -> None:
    (again.parent / "baselines.json").write_text('{"upgrade": {"default": "lost"}}')
    done = command("gate", again.name)
    assert 2 == done.returncode
    assert "is the kept baseline (default) and is not there" in done.stderr
    assert "lost  (is not there)" in command("baseline", "show").stdout


def test_an_incomplete_run_is_no_baseline(command: Any, upgrade: Any, tmp_path: Path) -> None:
    run = RunFolder(shutil.copytree(upgrade.run, tmp_path / "results" / "cut-short"))
    manifest = json.loads(run.manifest_path.read_text())
    run.manifest_path.write_text(json.dumps({**manifest, "state": "interrupted"}))
    done = command("baseline", "set", "cut")
    assert 2 == done.returncode
    assert "a baseline must be a complete run" in done.stderr


def test_a_fall_is_confirmed_by_asking_the_two_targets_again(harness: Any, upgrade: Any, tmp_path: Path) -> None:
    run = Path(shutil.copytree(upgrade.run, tmp_path / "results" / upgrade.run.name))
    done = harness("gate", run, "--candidate", "dull", "--confirm", "--quiet")
    assert 1 == done.returncode, done.stdout + done.stderr
    assert "confirming pass_rate: 86 more requests to http://127.0.0.1" in done.stderr
    assert "confirmed by a rerun" in done.stdout
    (again,) = (run / "confirm").iterdir()
    assert ["old", "dull"] == [
        target["name"] for target in json.loads((again / "manifest.json").read_text())["targets"]
    ]
