"""The gate end to end: exit codes, files for a CI system, stored baselines, and `--confirm`."""

from __future__ import annotations

import json
import shutil
import signal
import socket
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest

from harness.catalog.target import resolve_target
from harness.store.run_folder import RunFolder
from harness.suite.suite import Attachment, Graders, Judge, Load


def test_a_worse_model_exits_with_1_and_writes_every_file(command: Any, upgrade: Any, tmp_path: Path) -> None:
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


def test_the_same_model_exits_with_0(command: Any, upgrade: Any) -> None:
    """By quality and cost, which do not depend on this machine."""
    done = command("gate", upgrade.run, "--candidate", "same")
    assert "✗ worse" not in done.stdout.partition("Exploratory")[0]
    assert done.returncode in (0, 3)


def test_the_same_model_with_too_few_prompts_exits_with_3_and_says_how_many_it_takes(
    command: Any, finished: Any, tmp_path: Path
) -> None:
    """`whole` is claude-sonnet-4-6/us/invoke without streaming; three prompts cannot tell."""
    run = shutil.copytree(finished.folder, tmp_path / "tiny")  # other tests use the folder too
    done = command("gate", run, "--baseline", "claude-sonnet-4-6/us/invoke", "--candidate", "whole")
    assert 3 == done.returncode, done.stdout + done.stderr
    assert "? inconclusive: whole may be worse than claude-sonnet-4-6/us/invoke" in done.stdout
    assert " to settle" in done.stdout
    assert "the suite has no gate; the default margins decide" in done.stdout


def test_an_invalid_run_exits_with_4_and_says_why(command: Any, upgrade: Any, tmp_path: Path) -> None:
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


def test_a_stored_baseline_is_used_unless_another_is_given(
    command: Any, upgrade: Any, again: Path, tmp_path: Path
) -> None:
    shutil.copytree(upgrade.run, tmp_path / "results" / upgrade.run.name)
    assert "results has no baseline" in command("baseline", "show").stdout
    done = command("baseline", "set", upgrade.run.name[:20])
    assert (0, "") == (done.returncode, done.stderr)
    assert {"upgrade": {"default": upgrade.run.name}} == json.loads(command("baseline", "show", "--json").stdout)
    done = command("gate", again.name[:4], "--candidate", "dull")
    assert f"baseline: run {upgrade.run.name}, set with" in done.stderr
    assert done.returncode in (0, 3), done.stdout
    done = command("gate", again.name, "--candidate", "dull", "--baseline", "old")
    assert "baseline: target old in the same run" in done.stderr
    assert 1 == done.returncode
    done = command("gate", upgrade.run.name, "--candidate", "dull")
    assert "baseline: the suite's `baseline` target in the same run" in done.stderr


def test_a_stored_baseline_that_is_missing_is_an_error(command: Any, again: Path) -> None:
    (again.parent / "baselines.json").write_text('{"upgrade": {"default": "lost"}}')
    done = command("gate", again.name)
    assert 2 == done.returncode
    assert "is the baseline (default) but is missing" in done.stderr
    assert "lost  (missing)" in command("baseline", "show").stdout


def test_an_incomplete_run_cannot_be_a_baseline(command: Any, upgrade: Any, tmp_path: Path) -> None:
    run = RunFolder(shutil.copytree(upgrade.run, tmp_path / "results" / "cut-short"))
    manifest = json.loads(run.manifest_path.read_text())
    run.manifest_path.write_text(json.dumps({**manifest, "state": "interrupted"}))
    done = command("baseline", "set", "cut")
    assert 2 == done.returncode
    assert "a baseline must be a complete run" in done.stderr


def test_worse_is_confirmed_by_running_both_targets_again(harness: Any, upgrade: Any, tmp_path: Path) -> None:
    run = Path(shutil.copytree(upgrade.run, tmp_path / "results" / upgrade.run.name))
    done = harness("gate", run, "--candidate", "dull", "--confirm", "--quiet")
    assert 1 == done.returncode, done.stdout + done.stderr
    assert "confirming pass_rate: 86 more requests to http://127.0.0.1" in done.stderr
    assert "confirmed by a rerun" in done.stdout
    (again,) = (run / "confirm").iterdir()
    assert ["old", "dull"] == [
        target["name"] for target in json.loads((again / "manifest.json").read_text())["targets"]
    ]


@pytest.fixture
def fallen(upgrade: Any, tmp_path: Path) -> RunFolder:
    """A copy of the run in which `dull` is worse than `old`."""
    return RunFolder(Path(shutil.copytree(upgrade.run, tmp_path / "results" / upgrade.run.name)))


def change_suite(run: RunFolder, **more: Any) -> None:
    """Change values in a run's stored suite."""
    run.write_suite(msgspec.structs.replace(run.read_suite(), **more))


def ask_somewhere_else(run: RunFolder, endpoint: str) -> None:
    manifest = json.loads(run.manifest_path.read_text())
    run.manifest_path.write_text(json.dumps({**manifest, "endpoint": endpoint}))


def assert_unconfirmed(run: RunFolder, why: str) -> None:
    """All files of the gate hold the verdict, and say that it is not confirmed and why."""
    failures = list(ElementTree.parse(run.path / "junit.xml").getroot().iter("failure"))
    assert ["worse"] == [failure.get("type") for failure in failures]
    assert "not confirmed by a rerun" in str(failures[0].text)
    assert "worse" == json.loads((run.path / "compare.json").read_text())["verdict"]
    for name in ("junit.xml", "gate.md", "compare.md", "compare.json", "compare.html"):
        assert why in (run.path / name).read_text(), name


GATE = ("--candidate", "dull", "--confirm", "--quiet")


def test_a_rerun_that_is_impossible_is_reported_first_and_the_verdict_stands(command: Any, fallen: RunFolder) -> None:
    first, *others = fallen.read_suite().prompts
    document = Attachment(name="gone.pdf", media_type="application/pdf", digest="0" * 64, size=9, pages=1)
    change_suite(fallen, prompts=(msgspec.structs.replace(first, documents=(document,)), *others))
    done = command("gate", fallen.path, *GATE)
    assert 1 == done.returncode, done.stderr
    _, last = done.stderr.splitlines()
    assert "warning: the gate could not confirm `worse`: the run stores only digests of the suite's files" in last
    assert last.endswith("pass the suite file next to them with --suite FILE")
    assert "not confirmed by a rerun" in done.stdout
    assert_unconfirmed(fallen, "stores only digests of the suite")
    assert not (fallen.path / "confirm").exists()


@pytest.mark.parametrize("option", [("--suite", "s.yaml"), ("--endpoint", "aws"), ("--budget", "2.0")])
def test_an_option_of_the_rerun_without_confirm_is_an_error(
    command: Any, fallen: RunFolder, option: tuple[str, str]
) -> None:
    done = command("gate", fallen.path, *option)
    assert (2, "") == (done.returncode, done.stdout)
    name, value = option
    assert done.stderr.startswith(f"error: {name} ")
    assert f"{value}: applies only to the rerun of --confirm; add --confirm or leave it out" in done.stderr


def test_credentials_go_to_no_host_that_only_a_run_names(command: Any, fallen: RunFolder) -> None:
    evil = "https://bedrock.evil.example"
    judge = Judge(name="strict", target=resolve_target(model="claude-opus-4-6", api="converse", client="wire"))
    change_suite(fallen, endpoint=evil, graders=Graders(judges=(judge,)))
    ask_somewhere_else(fallen, evil)
    why = f"{evil}, which would receive your credentials; if you trust it, pass --endpoint {evil}"
    for arguments in (("report", fallen.path, "--judge"), ("reconcile", fallen.path)):
        done = command(*arguments)
        assert (2, True) == (done.returncode, why in done.stderr), done.stderr
    done = command("gate", fallen.path, *GATE)
    assert (1, True) == (done.returncode, why in done.stderr), done.stderr
    assert_unconfirmed(fallen, "which would receive your credentials")
    assert not (fallen.path / "confirm").exists()


def test_a_load_with_rates_of_single_targets_can_be_rerun(harness: Any, fallen: RunFolder) -> None:
    rates = dict.fromkeys(("old", "same", "dull", "slow", "wordy"), 60.0)
    change_suite(fallen, load=Load(arrival="constant", rates_per_s=rates, requests=40, warmup=3))
    done = harness("gate", fallen.path, *GATE)
    assert 1 == done.returncode, done.stderr
    assert "confirmed by a rerun (" in done.stdout, done.stdout


def test_an_unreachable_endpoint_leaves_the_verdict(harness: Any, fallen: RunFolder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # bound and, once closed, refusing
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
    ask_somewhere_else(fallen, endpoint)
    done = harness("gate", fallen.path, *GATE)
    assert 1 == done.returncode, done.stderr
    assert_unconfirmed(fallen, "requests of old failed with connection")


def test_a_budget_that_is_spent_leaves_the_verdict(harness: Any, fallen: RunFolder) -> None:
    done = harness("gate", fallen.path, *GATE, "--budget", "0.0001")
    assert 1 == done.returncode, done.stderr
    assert_unconfirmed(fallen, "0.0001 does not pay for the next request")


def test_a_rerun_that_cannot_be_stored_leaves_the_verdict(harness: Any, fallen: RunFolder) -> None:
    (fallen.path / "confirm").write_text("in the way")
    summary = fallen.path / "summary.md"
    summary.write_text("# before\n")
    done = harness("gate", fallen.path, *GATE, GITHUB_STEP_SUMMARY=str(summary))
    assert 1 == done.returncode, done.stderr
    assert_unconfirmed(fallen, "cannot be created: ")
    assert f"# before\n{(fallen.path / 'gate.md').read_text()}" == summary.read_text()


def test_a_copy_that_cannot_be_written_does_not_lose_the_verdict(harness: Any, fallen: RunFolder) -> None:
    (fallen.path / "taken").write_text("in the way")
    summary, taken, made = (
        fallen.path / "gone" / "summary.md",
        fallen.path / "taken" / "junit.xml",
        fallen.path / "made",
    )
    done = harness("gate", fallen.path, "--candidate", "dull", "--junit", taken, GITHUB_STEP_SUMMARY=str(summary))
    assert 2 == done.returncode
    assert "✗ worse: dull is worse than old on pass rate" in done.stdout
    assert f"{taken.parent}: File exists" in done.stderr or f"{taken}: File exists" in done.stderr
    assert f"warning: GITHUB_STEP_SUMMARY ({summary}) cannot be written: No such file or directory" in done.stderr
    assert "worse" in (fallen.path / "gate.md").read_text()
    assert 1 == harness("gate", fallen.path, "--candidate", "dull", "--junit", made / "junit.xml").returncode
    assert (made / "junit.xml").read_bytes() == (fallen.path / "junit.xml").read_bytes()


def test_ctrl_c_during_the_rerun_leaves_the_verdict(start_harness: Any, fallen: RunFolder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        ask_somewhere_else(fallen, f"http://127.0.0.1:{silent.getsockname()[1]}")
        child = start_harness("gate", fallen.path, *GATE)
        silent.accept()[0].close()
        assert "worse" in (fallen.path / "gate.md").read_text()  # written before anything was sent
        held = silent.accept()[0]
        child.send_signal(signal.SIGINT)
        next(line for line in child.stderr if "interrupt again to stop at once" in line)
        child.send_signal(signal.SIGINT)
        out, _ = child.communicate(timeout=60)
        held.close()
    assert 130 == child.returncode
    assert "✗ worse: dull is worse than old on pass rate" in out
    assert_unconfirmed(fallen, "the rerun was interrupted")
