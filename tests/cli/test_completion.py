"""Shell completion: commands, options and runs, in a real shell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

IN_BASH = """
eval "$(harness --show-completion)"
COMP_WORDS=({line}) COMP_CWORD={at}
_harness_completion harness
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
RUNS = ("20260101T000000Z-quick-aaaaaa", "20260102T000000Z-quick-bbbbbb")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with runs, and with folders whose names a shell would evaluate."""
    for name in (*RUNS, "2026$(touch evil)", "2026;touch evil", "2026`touch evil`", '2026"', "2026 01", "2026*"):
        (tmp_path / "results" / name).mkdir(parents=True)
    (tmp_path / "results" / "2026.html").touch()
    return tmp_path


def complete(folder: Path, line: str) -> list[str]:
    """What bash offers at the end of a line, whose last word may be empty (`''`)."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", IN_BASH.format(line=line, at=len(line.split()) - 1)],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "" == done.stderr
    assert not (folder / "evil").exists()
    return done.stdout.split()


def test_commands_and_options_are_completed(here: Path) -> None:
    assert ["report", "reconcile"] == complete(here, "harness re")
    assert ["--json"] == complete(here, "harness report --js")


@pytest.mark.parametrize(
    "line",
    ["harness report 2026", "harness compare latest 2026", "harness baseline set 2026", "harness query --run 2026"],
)
def test_runs_are_completed_the_latest_first_without_names_that_a_shell_would_evaluate(here: Path, line: str) -> None:
    assert list(reversed(RUNS)) == complete(here, line)


def test_latest_is_offered_even_without_results(tmp_path: Path) -> None:
    assert ["latest"] == complete(tmp_path, "harness open l")


def test_a_suite_is_left_to_the_shells_own_completion_of_files(here: Path) -> None:
    assert [] == complete(here, "harness run su")
