"""pass@k and pass^k against counting every choice of k answers."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from harness.analysis.stats.pass_at_k import pass_all_k, pass_at_k


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


@pytest.mark.parametrize(("n", "c", "k"), [(200, 3, 1), (200, 3, 10), (200, 60, 100), (1000, 1, 999)])
def test_pass_at_k_is_the_product_of_the_paper_that_proposed_it(n: int, c: int, k: int) -> None:
    """Chen et al. 2021, figure 3: 1 − Π (1 − k/i) for i from n − c + 1 to n."""
    expected = 1.0 if n - c < k else 1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1))
    assert pass_at_k(np.array([n]), np.array([c]), k)[0] == pytest.approx(float(expected))
