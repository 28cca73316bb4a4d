"""`harness open`: which page it opens, in which browser, and what it says where there is none."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import call_harness

EXAMPLE = Path(__file__).parents[3] / "results" / "example"
RUN = "20260101T000000Z-example-abcdef"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with a report and a comparison, in results/."""
    folder = tmp_path / "results" / RUN
    shutil.copytree(EXAMPLE, folder)
    for page in ("report.html", "compare.html"):
        (folder / page).write_text(page)
    return folder


@pytest.fixture
def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A browser that writes what it is to open into this file, for a process of its own: Python reads BROWSER once."""
    opened = tmp_path / "opened.txt"
    script = tmp_path / "browser"
    script.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}\n')
    script.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{script} %s")
    return opened


@pytest.fixture
def no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a browser nor a display to open one on."""
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("line", [("open",), ("open", "latest"), ("open", "2026"), ("open", f"results/{RUN}")])
def test_the_report_is_opened_and_its_path_printed(run: Path, browser: Path, process: Any, line: tuple[str]) -> None:
    done = process(*line, figures=())
    assert (0, f"results/{RUN}/report.html\n", "") == (done.returncode, done.stdout, done.stderr)
    assert (run / "report.html").as_uri() == browser.read_text()


def test_the_comparison_or_the_index_is_opened(run: Path, browser: Path, process: Any) -> None:
    assert f"results/{RUN}/compare.html\n" == process("open", "--compare", figures=()).stdout
    assert (run / "compare.html").as_uri() == browser.read_text()
    assert "results/index.html\n" == process("open", "--index", figures=()).stdout
    assert (run.parent / "index.html").as_uri() == browser.read_text()
    assert RUN in (run.parent / "index.html").read_text()


def test_a_missing_report_is_made_first(run: Path, no_browser: None, command: Any) -> None:
    (run / "report.html").unlink()
    done = command("open")
    assert 0 == done.returncode
    assert done.stdout.endswith(f"Report: results/{RUN}/report.html\nresults/{RUN}/report.html\n")
    assert "claude-haiku-4-5" in (run / "report.html").read_text()


def test_without_a_display_or_over_ssh_the_path_is_printed_and_said_so(
    run: Path, no_browser: None, command: Any
) -> None:
    for more in ({}, {"DISPLAY": ":0", "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}):
        done = command("open", **more)
        assert (0, f"results/{RUN}/report.html\n") == (done.returncode, done.stdout)
        assert "no browser can be opened here" in done.stderr


def test_what_is_not_there_is_a_mistake_with_a_remedy(run: Path, browser: Path, command: Any) -> None:
    (run / "compare.html").unlink()
    (run.parent / "index.html").write_text("mine")
    for option, message in (("--compare", f"`harness compare results/{RUN}` makes one"), ("--index", "move it away")):
        done = command("open", option)
        assert (2, "") == (done.returncode, done.stdout)
        assert message in done.stderr
    assert "choose one" in command("open", "--index", "--compare").stderr
    assert not browser.exists()


@pytest.mark.parametrize("option", ["--index", "--compare"])
def test_a_folder_that_is_not_a_run_gets_no_index_beside_it(
    run: Path, browser: Path, command: Any, option: str
) -> None:
    for folder in ("results", "nowhere/typo"):
        done = command("open", folder, option)
        assert (2, "") == (done.returncode, done.stdout)
        assert f"{folder}: not a run" in done.stderr
    assert not (run.parents[1] / "index.html").exists()
    assert not browser.exists()


def test_the_list_is_that_of_the_folder_in_which_the_run_really_is(run: Path, no_browser: None, command: Any) -> None:
    (run.parents[1] / "link").symlink_to(run)
    for written in (f"results/{RUN}/.", "link", run):
        assert "results/index.html\n" == command("open", written, "--index").stdout
    inside = call_harness(run, "open", ".", "--index")
    assert f"{run.parent / 'index.html'}\n" == inside.stdout
    assert not (run / "index.html").exists()
