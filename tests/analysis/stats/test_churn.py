"""Expected churn: as many changes on average as an unchanged model makes."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.stats.churn import expected_changes

PROMPTS = 60


def shares(rng: np.random.Generator, name: str) -> np.ndarray:
    u = rng.random(PROMPTS)
    match name:
        case "fixed or a coin":
            return np.where(u < 0.7, 1.0, np.where(u < 0.8, 0.0, 0.5))
        case "all alike":
            return np.full(PROMPTS, 0.8)
        case _:
            return rng.beta(2.0, 0.5, PROMPTS)


@pytest.mark.parametrize("name", ["fixed or a coin", "all alike", "of every kind"])
@pytest.mark.parametrize("repeats", [2, 3, 5])
def test_single_answers_change_as_often_as_is_expected(name: str, repeats: int) -> None:
    """Each prompt's own share plugged into 2p(1 − p) is a half too low with two repeats."""
    rng, expected, plugged, truth = np.random.default_rng(4), [], [], []
    for _ in range(400):
        p = shares(rng, name)
        passed = rng.binomial(repeats, p)
        once, answers = np.ones(PROMPTS, dtype=np.int64), np.full(PROMPTS, repeats)
        expected.append(expected_changes(passed, answers, once, once))
        share = passed / repeats
        plugged.append((2 * share * (1 - share)).sum())
        truth.append((2 * p * (1 - p)).sum())
    assert np.mean(truth) == pytest.approx(np.mean(expected), rel=0.04)
    assert np.mean(plugged) == pytest.approx(np.mean(truth) * (repeats - 1) / repeats, rel=0.04)


@pytest.mark.parametrize("repeats", [2, 3])
def test_repeated_answers_change_about_as_often_as_is_expected(repeats: int) -> None:
    rng, expected, changed = np.random.default_rng(5), [], []
    answers = np.full(PROMPTS, repeats)
    for _ in range(400):
        p = shares(rng, "of every kind")
        first, second = rng.binomial(repeats, p), rng.binomial(repeats, p)
        expected.append(expected_changes(first, answers, answers, answers))
        changed.append((first != second).sum())
    assert np.mean(changed) == pytest.approx(np.mean(expected), rel=0.04)


def test_answers_that_never_vary_change_nothing_and_single_ones_tell_nothing() -> None:
    four, ones = np.array([2, 0, 2, 2]), np.ones(4, dtype=np.int64)
    assert 0.0 == expected_changes(four, 2 * ones, 2 * ones, 2 * ones)
    assert expected_changes(ones, ones, ones, ones) is None


def test_prompts_without_an_answer_on_a_side_do_not_count() -> None:
    answers, once = np.array([2, 2]), np.array([1, 0])
    assert 0.5 == pytest.approx(expected_changes(np.array([1, 2]), answers, once, np.array([1, 1])))
