"""Cohen's kappa against published examples and a simulation of its interval."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.stats.labels.agreement import clustered_kappa, cohen_kappa, kappa_error

SKIN = [[10, 4, 1, 0], [5, 10, 12, 2], [2, 4, 12, 5], [0, 2, 6, 13]]


def test_the_skin_condition_study_of_the_sas_manual() -> None:
    """PROC FREQ, example "Cohen's Kappa Coefficient": 0.3449 with an asymptotic standard error of 0.0724."""
    found = cohen_kappa(SKIN)
    assert found is not None
    assert (found.value, kappa_error(SKIN)) == pytest.approx((0.3449, 0.0724), abs=5e-5)
    assert (found.low, found.high) == pytest.approx((0.2030, 0.4868), abs=0.01)  # theirs are κ ± 1.96 · error


def test_the_table_of_grant_proposals() -> None:
    """20, 5, 10, 15: p_o 0.7, p_e 0.5, κ 0.4."""
    found = cohen_kappa([[20, 5], [10, 15]])
    assert found is not None
    assert found.value == pytest.approx(0.4)


def test_cohens_own_example() -> None:
    """Cohen 1960, table 1, as corrected by Fleiss, Cohen & Everitt 1969: n = 200, κ = 0.429."""
    found = cohen_kappa(200 * np.array([[0.53, 0.05, 0.02], [0.11, 0.14, 0.05], [0.01, 0.06, 0.03]]))
    assert found is not None
    assert found.value == pytest.approx(0.429, abs=5e-4)


def test_chance_agreement_is_zero_and_opposition_is_negative() -> None:
    chance, opposed = cohen_kappa([[25, 25], [25, 25]]), cohen_kappa([[0, 10], [10, 0]])
    assert chance is not None
    assert opposed is not None
    assert (chance.value, opposed.value) == (pytest.approx(0), pytest.approx(-1))


def test_perfect_agreement_has_no_bounds() -> None:
    found = cohen_kappa([[5, 0], [0, 5]])
    assert found is not None
    assert (found.value, found.low, found.high) == (1.0, None, None)


@pytest.mark.parametrize("table", [[[0, 0], [0, 0]], [[7, 0], [0, 0]]])
def test_without_two_classes_it_cannot_be_said(table: list[list[int]]) -> None:
    assert cohen_kappa(table) is None


def test_a_table_that_is_not_square_is_refused() -> None:
    with pytest.raises(ValueError, match="square"):
        cohen_kappa([[1, 2]])


def test_the_interval_covers_about_as_often_as_it_says() -> None:
    """Two raters of two classes, κ = 0.6, n = 100, 2,000 samples: 95 % nominal."""
    truth = np.array([0.4, 0.1, 0.1, 0.4])
    tables = np.random.default_rng(1).multinomial(100, truth, size=2000).reshape(-1, 2, 2)
    found = [interval for table in tables if (interval := cohen_kappa(table)) is not None]
    covered = np.mean([each.low is not None and each.low <= 0.6 <= (each.high or 1) for each in found])
    assert 0.935 <= covered <= 0.965


def test_kappa_of_answers_that_share_no_prompt_is_that_of_the_table() -> None:
    first, second = np.repeat([True, False], 25), np.array([True] * 20 + [False] * 5 + [True] * 10 + [False] * 15)
    assert cohen_kappa([[20, 5], [10, 15]]) == clustered_kappa(first, second, np.arange(50))
    assert clustered_kappa(first[:0], second[:0], np.arange(0)) is None


def test_labels_of_few_prompts_make_kappa_less_certain() -> None:
    """Errors that come prompt by prompt: five prompts of ten answers, in two of which the judge says the contrary."""
    person = np.tile([True, False], 25)
    prompts = np.repeat(np.arange(5), 10)
    judge = np.where(prompts < 2, ~person, person)
    alone, together = clustered_kappa(person, judge, np.arange(50)), clustered_kappa(person, judge, prompts)
    assert alone is not None
    assert together is not None
    assert pytest.approx(alone.value) == together.value
    assert (together.low or 0.0) < (alone.low or 0.0) < (alone.high or 0.0) < (together.high or 0.0)
    one = clustered_kappa(person, np.where(np.arange(50) < 9, ~person, person), np.zeros(50, dtype=np.int64))
    assert one is not None
    assert (None, None) == (one.low, one.high)
