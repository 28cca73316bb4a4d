"""The benchmark of the verdicts runs, and what it draws is what it says it draws."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def verdicts(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("verdicts")


@pytest.fixture
def draws(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("worlds.draws")


def test_a_quick_round_prints_every_table(verdicts: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    tables = verdicts.main(0.01)
    assert {
        "coverage": 22,
        "families": 3,
        "in-time": 14,
        "in-time-power": 3,
        "power": 10,
        "dry-run": 6,
        "best-of": 4,
        "remedies": 4,
    } == {name: len(rows) for name, rows in tables.items()}
    printed = capsys.readouterr().out
    assert printed.count("| --- |") >= 3
    for row in tables["coverage"]:
        assert all(cell == "–" or 0 <= float(cell) <= 100 for cell in row.cells), row


@pytest.mark.parametrize("groups_of", [1, 4])
def test_drawn_answers_have_the_rates_they_are_asked_for(draws: ModuleType, groups_of: int) -> None:
    rng = np.random.default_rng(1)
    baseline, candidate = draws.draw_answers(rng, 40_000, 3, (0.85, 0.80), groups_of=groups_of)
    assert (0.85, 0.80) == pytest.approx((baseline.mean(), candidate.mean()), abs=0.01)
    assert 0.3 < np.corrcoef(baseline, candidate)[0, 1] < 0.9


def test_a_drawn_run_is_the_same_for_both_unless_it_is_made_to_differ(draws: ModuleType) -> None:
    side = draws.draw_side(np.random.default_rng(2), 4000, 1, candidates=1, skill=0.1)
    old, new = side.data.columns["baseline"], side.data.columns["candidate-1"]
    assert 0.1 == pytest.approx(old.passed.mean() - new.passed.mean(), abs=0.03)
    assert np.nanmedian(old.first_s - old.due_s) == pytest.approx(np.nanmedian(new.first_s - new.due_s), rel=0.08)
