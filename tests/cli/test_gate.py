"""The gate from outside: exit codes, what a CI system reads, the kept baseline, and the second look."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.store.run_folder import RunFolder


def test_a_worse_model_ends_with_one_and_every_reader_is_served(harness: Any, upgrade: Any, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("# before\n")
    done = harness(
        *("gate", upgrade.run, "--candidate", "dull", "--junit", "j.xml", "--markdown", "c.md"),
        GITHUB_STEP_SUMMARY=str(summary),
    )
    assert 1 == done.returncode, done.stderr
    assert "baseline: target old in the same run, the suite's `baseline`" in done.stderr
    assert "✗ worse: dull is worse than old on pass rate: −" in done.stdout
    root = ElementTree.parse(tmp_path / "j.xml").getroot()
    assert "1" == root.get("failures")
    assert ["pass rate"] == [case.get("name") for case in root.iter("testcase") if case.find("failure") is not None]
    comment = (tmp_path / "c.md").read_text()
    assert comment.startswith("### ✗ worse: upgrade")
    assert f"# before\n{comment}" == summary.read_text()
    assert comment == (upgrade.run / "gate.md").read_text()
    assert (tmp_path / "j.xml").read_bytes() == (upgrade.run / "junit.xml").read_bytes()


def test_the_same_model_ends_with_nought_or_three_by_how_many_prompts_there_are(
    harness: Any, upgrade: Any, tmp_path: Path, upgrade_suite: Any
) -> None:
    """Sixty prompts keep two equal pass rates within ten points; eight cannot."""
    few = tmp_path / "upgrade.yaml"
    few.write_text(upgrade_suite(8, "gate: {pass_rate: 10pp, error_rate: 8pp, ttft_p50: 50%", "gate: {pass_rate: 10pp"))
    run = ("run", few, "--endpoint", upgrade.url, "--target", "old", "--target", "same", "--quiet")
    assert 0 == harness(*run).returncode
    done = harness("gate")
    assert 3 == done.returncode, done.stdout + done.stderr
    assert "? inconclusive: this cannot tell whether same is as good as old" in done.stdout
    assert "would be settled by" in done.stdout
    same = harness("gate", upgrade.run, "--candidate", "same")
    assert same.returncode in (0, 3), same.stdout


def test_an_invalid_run_ends_with_four_and_says_why(harness: Any, upgrade: Any, tmp_path: Path) -> None:
    run = RunFolder(shutil.copytree(upgrade.run, tmp_path / "results" / "cut-short"))
    manifest = json.loads(run.manifest_path.read_text())
    run.manifest_path.write_text(json.dumps({**manifest, "state": "interrupted"}))
    done = harness("gate", run.path, "--candidate", "dull")
    assert 4 == done.returncode
    assert "INVALID" in done.stdout
    assert '<error type="invalid"' in (run.path / "junit.xml").read_text()


def test_a_failed_request_is_a_failed_answer(
    harness: Any, make_bedrock: Any, tmp_path: Path, upgrade_suite: Any
) -> None:
    path = tmp_path / "upgrade.yaml"
    path.write_text(upgrade_suite(30))
    throttling = make_bedrock("--suite", str(path), "--speed", "20", "--throttle-rate", "0.2")
    run = ("run", path, "--endpoint", throttling.url, "--target", "old", "--target", "dull", "--quiet")
    harness(*run, "--seed", "5")
    report = json.loads(harness("compare", "--json").stdout)
    (comparison,) = report["comparisons"]
    failed = comparison["candidate"]["failed"]
    assert failed > 0
    rows = {d["metric"]: d for d in comparison["differences"]}
    assert failed / 30 == pytest.approx(rows["error_rate"]["candidate"])
    assert rows["pass_rate"]["candidate"] <= 1 - failed / 30


def test_a_kept_baseline_is_used_until_another_is_named(harness: Any, upgrade: Any, tmp_path: Path) -> None:
    results = tmp_path / "results"
    shutil.copytree(upgrade.run, results / upgrade.run.name)
    later = RunFolder(shutil.copytree(upgrade.run, results / "20990101T000000Z-upgrade-ffffff"))
    manifest = json.loads(later.manifest_path.read_text())
    later.manifest_path.write_text(json.dumps({**manifest, "run_id": later.path.name}))
    assert "no baseline is kept" in harness("baseline", "show").stdout
    done = harness("baseline", "set", upgrade.run.name[:20])
    assert (0, "") == (done.returncode, done.stderr)
    assert {"upgrade": {"default": upgrade.run.name}} == json.loads(harness("baseline", "show", "--json").stdout)
    done = harness("gate", "2099", "--candidate", "dull")
    assert f"baseline: run {upgrade.run.name}, kept by" in done.stderr
    assert done.returncode in (0, 3), done.stdout
    done = harness("gate", "2099", "--candidate", "dull", "--baseline", "old")
    assert "baseline: target old in the same run" in done.stderr
    assert 1 == done.returncode
    done = harness("gate", upgrade.run.name, "--candidate", "dull")
    assert "baseline: target old in the same run, the suite's `baseline`" in done.stderr


def test_an_incomplete_run_is_no_baseline(harness: Any, upgrade: Any, tmp_path: Path) -> None:
    run = RunFolder(shutil.copytree(upgrade.run, tmp_path / "results" / "cut-short"))
    manifest = json.loads(run.manifest_path.read_text())
    run.manifest_path.write_text(json.dumps({**manifest, "state": "interrupted"}))
    done = harness("baseline", "set", "cut")
    assert 2 == done.returncode
    assert "a baseline must be a complete run" in done.stderr


def test_a_fall_is_confirmed_by_asking_the_two_targets_again(harness: Any, upgrade: Any, tmp_path: Path) -> None:
    run = Path(shutil.copytree(upgrade.run, tmp_path / "results" / upgrade.run.name))
    done = harness("gate", run, "--candidate", "dull", "--confirm", "--quiet")
    assert 1 == done.returncode, done.stdout + done.stderr
    assert "confirming pass_rate: 126 more requests to http://127.0.0.1" in done.stderr
    assert "confirmed by a rerun" in done.stdout
    (again,) = (run / "confirm").iterdir()
    assert ["old", "dull"] == [
        target["name"] for target in json.loads((again / "manifest.json").read_text())["targets"]
    ]
