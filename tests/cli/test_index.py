"""results/index.html is brought up to date by commands, and never in the way of one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "results" / "example"
RUN = "20260101T000000Z-example-abcdef"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run in results/."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "results" / RUN))


@pytest.mark.parametrize(
    ("line", "link"),
    [("report", "report.html"), ("compare", "compare.html"), ("gate", "compare.html")],
)
def test_a_command_brings_the_index_up_to_date(run: Path, command: Any, line: str, link: str) -> None:
    done = command(line)
    assert done.returncode in (0, 1, 3), done.stderr
    assert f'href="./{RUN}/{link}"' in (run.parent / "index.html").read_text()


def test_a_folder_that_happens_to_hold_a_run_gets_no_index(run: Path, tmp_path: Path, command: Any) -> None:
    downloads = tmp_path / "downloads"
    run.parent.rename(downloads)
    assert 0 == command("report", downloads / RUN).returncode
    assert [RUN] == [path.name for path in downloads.iterdir()]


def test_an_index_that_cannot_be_written_is_only_a_warning(run: Path, command: Any) -> None:
    """An unwritable folder would not stop root, so a folder stands where the cache is to go."""
    (run.parent / ".index.json").mkdir()
    done = command("report")
    assert 0 == done.returncode
    assert "warning: the index of the runs is not up to date: " in done.stderr
    assert "/results/.index.json: cannot be written" in done.stderr
