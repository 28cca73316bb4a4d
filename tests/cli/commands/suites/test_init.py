"""`harness init`: a starter suite that is valid as it is, and never overwrites a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.cli.commands.suites.init import FOREIGN_ACTION, github_workflow, init
from harness.errors import HarnessError, SuiteError
from harness.suite.loader import load_suite
from tests.schedule.actions import read_yaml
from tests.schedule.conftest import ROOT


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_writes_a_valid_suite_and_says_what_to_do_next(capsys: pytest.CaptureFixture[str]) -> None:
    init("triage")
    assert load_suite(Path("suites/triage.yaml")).name == "triage"
    assert "NAME" not in Path("suites/triage.yaml").read_text(encoding="utf-8")
    assert "harness run suites/triage.yaml" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name",
    ["2024", "1e3", "12.", "0x10", "0o17", "1_000", "true", "null", "NULL", "no", "y", "2024-01-01", "NAME", "NAME-2"],
)
def test_a_name_that_yaml_would_read_as_another_type_stays_a_name(name: str) -> None:
    """For the harness's own reader, and for YAML 1.1 readers, which interpret `no`, `0o17` and dates."""
    init(name)
    path = Path(f"suites/{name}.yaml")
    assert load_suite(path).name == name
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["suite"] == name


@pytest.mark.alone
def test_the_starter_passes_its_own_gate(command: Any, make_bedrock: Any, tmp_path: Path) -> None:
    """With other plans and other answers, and not so quick that a busy machine is the bottleneck."""
    init("demo")
    starter = tmp_path / "suites/demo.yaml"
    for seed in ("1", "2"):
        url = make_bedrock("--suite", starter, "--speed", "5", "--seed", seed).url
        ran = command("run", starter, "--endpoint", url, "--seed", seed, "--quiet")
        assert 0 == ran.returncode, ran.stdout
        gate = command("gate")
        assert 0 == gate.returncode, gate.stdout


def test_it_overwrites_nothing() -> None:
    Path("suites").mkdir()
    Path("suites/triage.yaml").write_text("mine", encoding="utf-8")
    with pytest.raises(HarnessError, match=r"suites/triage\.yaml already exists"):
        init("triage")
    assert Path("suites/triage.yaml").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "a/b",
        "",
        ".hidden",
        "a b",
        "x" * 65,
        "a\n",
        "it's",
        'a"b',
        "a#b",
        "a: b",
        "über",
        "😀",
        "-x",
        "..",
        "a\x00",
    ],
)
def test_a_name_that_is_not_a_plain_file_name_is_rejected(name: str, tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="is not a valid suite name"):
        init(name)
    assert list(tmp_path.rglob("*")) == []


def test_a_folder_that_cannot_be_created_gives_one_message() -> None:
    Path("suites").write_text("a file", encoding="utf-8")
    with pytest.raises(HarnessError, match="suites already exists"):
        init("triage")


WORKFLOW = Path(".github/workflows/harness.yaml")


def test_for_github_it_writes_a_workflow_and_a_suite_and_says_what_to_set_up(
    capsys: pytest.CaptureFixture[str],
) -> None:
    init(ci="github")
    assert "nightly" == load_suite(Path("suites/nightly.yaml")).name
    steps = read_yaml(WORKFLOW)["jobs"]["nightly"]["steps"]
    assert FOREIGN_ACTION == steps[1]["uses"]
    assert "suites/nightly.yaml" == steps[1]["with"]["suite"]
    told = capsys.readouterr().out
    for part in (f"Wrote {WORKFLOW} and suites/nightly.yaml.", "HARNESS_ROLE", "--print-policy", "replace OWNER"):
        assert part in told


def test_the_workflow_runs_a_suite_that_is_there_and_leaves_it_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Path("suites").mkdir()
    Path("suites/triage.yaml").write_text("mine", encoding="utf-8")
    init("triage", ci="github")
    assert "suites/triage.yaml" == read_yaml(WORKFLOW)["jobs"]["nightly"]["steps"][1]["with"]["suite"]
    assert "mine" == Path("suites/triage.yaml").read_text(encoding="utf-8")
    assert f"Wrote {WORKFLOW}. Next" in capsys.readouterr().out


def test_a_workflow_that_is_there_is_kept_and_nothing_else_is_written() -> None:
    WORKFLOW.parent.mkdir(parents=True)
    WORKFLOW.write_text("mine", encoding="utf-8")
    with pytest.raises(HarnessError, match=r"harness\.yaml already exists; add the suite to it by hand, or remove it"):
        init("triage", ci="github")
    assert ("mine", False) == (WORKFLOW.read_text(encoding="utf-8"), Path("suites").exists())


def test_in_the_harness_itself_the_workflow_uses_its_own_action_as_the_documentation_shows() -> None:
    Path("docs").symlink_to(ROOT / "docs")
    assert (ROOT / "docs/schedule/github.yaml").read_text(encoding="utf-8") == github_workflow("nightly")


def test_without_a_name_a_suite_alone_is_refused(command: Any) -> None:
    done = command("init")
    assert (2, True) == (done.returncode, "name the suite" in done.stderr)
    assert 2 == command("init", "triage", "--ci", "jenkins").returncode
