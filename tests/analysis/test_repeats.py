"""pass@k and pass^k against counting every choice of k answers, and κ against statsmodels."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from statsmodels.stats.inter_rater import cohens_kappa as reference

from harness.analysis.agreement import cohens_kappa
from harness.analysis.repeats import pass_all_k, pass_at_k


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_every_choice_of_k_answers_counts_once(k: int) -> None:
    answers, passed = np.full(6, 5), np.arange(6)
    for at, right in enumerate(passed):
        choices = list(combinations([1] * right + [0] * (5 - right), k))
        assert np.mean([any(choice) for choice in choices]) == pytest.approx(pass_at_k(answers, passed, k)[at])
        assert np.mean([all(choice) for choice in choices]) == pytest.approx(pass_all_k(answers, passed, k)[at])


def test_with_fewer_answers_than_k_there_is_none() -> None:
    assert np.isnan(pass_at_k(np.array([2]), np.array([2]), 3)).all()
    assert np.isnan(pass_all_k(np.array([2]), np.array([2]), 3)).all()


def test_kappa_and_its_interval_are_statsmodels() -> None:
    table = np.array([[44, 5, 1], [7, 20, 3], [9, 5, 6]])  # Fleiss, Cohen & Everitt 1969, table 1, shares × 100
    first = [row for row in range(3) for column in range(3) for _ in range(table[row, column])]
    second = [column for row in range(3) for column in range(3) for _ in range(table[row, column])]
    expected = reference(table)
    found = cohens_kappa(first, second)
    assert found is not None
    assert (expected.kappa, expected.kappa_low, expected.kappa_upp) == pytest.approx(
        (found.value, found.low, found.high)
    )


def test_kappa_of_one_label_or_of_nothing_cannot_be_said() -> None:
    assert cohens_kappa(["pass"] * 5, ["pass"] * 5) is None
    assert cohens_kappa([], []) is None
    with pytest.raises(ValueError, match="zip"):
        cohens_kappa([1], [1, 0])
