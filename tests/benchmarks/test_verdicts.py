"""The benchmark of the verdicts runs, and what it draws is what it says it draws."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

FILE = Path(__file__).parents[2] / "benchmarks" / "verdicts.py"


@pytest.fixture(scope="module")
def verdicts() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verdicts", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["verdicts"] = module  # dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


def test_a_quick_round_prints_every_table(verdicts: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    tables = verdicts.main(quick=True)
    assert {"coverage": 22, "false": 3, "time": 14, "time power": 3, "power": 10} == {
        name: len(rows) for name, rows in tables.items()
    }
    printed = capsys.readouterr().out
    assert printed.count("| --- |") >= 3
    for row in tables["coverage"]:
        assert all(cell == "–" or 0 <= float(cell) <= 100 for cell in row.cells), row


@pytest.mark.parametrize("groups_of", [1, 4])
def test_drawn_answers_have_the_rates_they_are_asked_for(verdicts: ModuleType, groups_of: int) -> None:
    rng = np.random.default_rng(1)
    baseline, candidate = verdicts.draw_answers(rng, 40_000, 3, (0.85, 0.80), groups_of=groups_of)
    assert (0.85, 0.80) == pytest.approx((baseline.mean(), candidate.mean()), abs=0.01)
    assert 0.3 < np.corrcoef(baseline, candidate)[0, 1] < 0.9


def test_a_drawn_run_is_the_same_for_both_unless_it_is_made_to_differ(verdicts: ModuleType) -> None:
    side = verdicts.draw_side(np.random.default_rng(2), 4000, 1, candidates=1, skill=0.1)
    old, new = side.data.columns["baseline"], side.data.columns["candidate-1"]
    assert 0.1 == pytest.approx(old.passed.mean() - new.passed.mean(), abs=0.03)
    assert np.nanmedian(old.first_s - old.due_s) == pytest.approx(np.nanmedian(new.first_s - new.due_s), rel=0.08)
