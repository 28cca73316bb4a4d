"""`harness init`: a starter suite that is good as it is, and never in place of another file."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.init import init
from harness.errors import HarnessError, SuiteError
from harness.suite.loader import load_suite


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_writes_a_suite_that_loads_and_says_what_to_do_next(capsys: pytest.CaptureFixture[str]) -> None:
    init("triage")
    assert load_suite(Path("suites/triage.yaml")).name == "triage"
    assert "NAME" not in Path("suites/triage.yaml").read_text(encoding="utf-8")
    assert "harness run suites/triage.yaml" in capsys.readouterr().out


def test_it_overwrites_nothing() -> None:
    Path("suites").mkdir()
    Path("suites/triage.yaml").write_text("mine", encoding="utf-8")
    with pytest.raises(HarnessError, match=r"suites/triage\.yaml is there already"):
        init("triage")
    assert Path("suites/triage.yaml").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".hidden", "a b", "x" * 65, "a\n"])
def test_a_name_that_is_no_plain_file_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="cannot be a suite's name"):
        init(name)
    assert list(tmp_path.rglob("*")) == []


def test_a_folder_that_cannot_be_made_is_one_message() -> None:
    Path("suites").write_text("a file", encoding="utf-8")
    with pytest.raises(HarnessError, match="suites is there already"):
        init("triage")
