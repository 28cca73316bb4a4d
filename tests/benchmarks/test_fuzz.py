"""A short round of the fuzzing: nothing that somebody else damaged leads to anything but a message."""

from __future__ import annotations

import importlib
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import strategies as st

from harness.errors import HarnessError

FOLDER = Path(__file__).parents[2] / "benchmarks"
NO_LIMIT_S = 60.0
NAMES = (
    *("journal", "manifest", "stored suite", "Parquet", "report", "killed run", "compare", "results", "beside runs"),
    *("suite", "suite-files", "answers", "replies"),
)


@pytest.fixture
def fuzz(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("fuzz")


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_refused_with_a_message_or_read(fuzz: ModuleType, tmp_path: Path, name: str) -> None:
    inputs = int(1 + 2 * fuzz.TARGETS[name].share)
    tally = fuzz.run_job(fuzz.Job(target=name, seed=13, inputs=inputs, limit_s=NO_LIMIT_S), tmp_path)
    assert [] == tally.failures
    assert tally.inputs == tally.refused + tally.accepted >= inputs


def _escape(folder: Path) -> None:
    (folder.parent / "outside").write_text("x")


def _run(folder: Path) -> None:
    subprocess.run(["true"], check=False)


def _refuse_silently(folder: Path) -> None:
    raise HarnessError("")


def _raise(folder: Path) -> None:
    raise KeyError("x")


def _loop(folder: Path) -> None:
    while True:
        pass


@pytest.mark.parametrize(
    ("read", "why"),
    [
        (_escape, "Escape"),
        (_run, "Escape"),
        (_refuse_silently, "without a message"),
        (_raise, "KeyError"),
        (_loop, "Hang"),
    ],
)
def test_a_reader_that_misbehaves_is_caught(
    fuzz: ModuleType, tmp_path: Path, read: Callable[[Path], None], why: str
) -> None:
    target = importlib.import_module("fuzzing.target")
    reader = target.Target(whole=dict, inputs=lambda: st.just({}), read=read)
    outcome = target.try_input(reader, {"a": b"x"}, tmp_path / "input", limit_s=0.05)
    assert why in outcome.failure
    assert not (tmp_path / "outside").exists()
