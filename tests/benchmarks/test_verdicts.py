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
    expected = {
        "coverage": 20,
        "bills": 18,
        "bills-alike": 13,
        "bills-power": 5,
        "bills-correct": 9,
        "bills-methods": 10,
        "bills-dollars": 4,
        "families": 3,
        "in-time": 14,
        "in-time-power": 3,
        "bursts": 10,
        "bursts-power": 6,
        "stalls": 10,
        "two-runs": 24,
        "two-runs-power": 6,
        "two-runs-methods": 16,
        "nights": 22,
        "night-rates": 5,
        "night-power": 5,
        "churn": 5,
        "own-quantiles": 14,
        "own-success": 5,
        "judged-rate": 12,
        "kappa": 4,
        "power": 10,
        "dry-run": 6,
        "best-of": 4,
        "remedies": 4,
    }
    assert expected == {name: len(rows) for name, rows in tables.items()}
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


def test_two_runs_alone_are_far_too_sure_and_a_history_holds_them(two_runs: ModuleType) -> None:
    none, five, twenty = two_runs.two_run_rows(0.025, {"20 %": two_runs.Hours(shift=0.2)})
    assert ["0.0", "0.0", "no", "no", "no"] == [cell.split()[0] for cell in none.cells[:5]]
    for row in (five, twenty):
        _, either, *held, alone = (float(cell.split()[0]) for cell in row.cells)
        assert either <= 20
        assert min(held) >= 80
        assert alone < 60


@pytest.fixture
def two_runs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("worlds.two_runs")


@pytest.fixture
def bills(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("worlds.bills")


def test_drawn_bills_are_apart_by_what_they_say(bills: ModuleType) -> None:
    for name, bill in (bills.ALIKE | bills.APART).items():
        if "Pareto" not in name and "σ 2" not in name and bill.alike == 1 and bill.groups == 1:
            new, old, _ = bill.draw(np.random.default_rng(3), 200_000)
            assert bill.truth == pytest.approx(np.log(new.sum() / old.sum()), abs=0.02), name


def test_a_quick_round_of_bills_keeps_its_promise(bills: ModuleType) -> None:
    """400 rounds with a fixed seed: 95 % nominal, so 91.7 to 97.5 % by chance."""
    for name, n in (("log-normal, σ 2", 20), ("one prompt in ten twenty times as dear", 50), ("Pareto, tail 1.5", 50)):
        rng, bill = np.random.default_rng(5), bills.ALIKE[name]
        effects = [bills.compare_totals(*bill.draw(rng, n)) for _ in range(400)]
        held = np.mean([bills.holds(effect, 0.0) for effect in effects])
        assert 0.917 <= held <= 0.98, (name, held)
        assert np.mean([bills._is_worse(effect) for effect in effects]) <= 0.05


def test_the_dear_prompts_that_double_are_found(bills: ModuleType) -> None:
    rng, bill = np.random.default_rng(6), bills.APART["one prompt in ten, twenty times as dear, doubles"]
    assert 0.69 == pytest.approx(np.expm1(bill.truth), abs=0.002)
    assert np.mean([bills._is_worse(bills.compare_totals(*bill.draw(rng, 100))) for _ in range(100)]) >= 0.95


def test_a_night_like_those_before_it_is_seldom_called_worse_or_better(verdicts: ModuleType) -> None:
    """A quick form of the table: every night of a family of ten, 200 times, at a fixed seed."""
    nights = importlib.import_module("worlds.nights")
    for noise, past in (("normal", 5), ("ar", 20), ("weekday", 10)):
        rng = np.random.default_rng(3)
        worse, better = nights.judge(nights.Nights(noise=noise, spread=0.1, past=past).family(rng, 200))
        assert 0.05 > (worse | better).any(axis=0).mean(), noise
