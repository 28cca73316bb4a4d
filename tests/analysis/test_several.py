"""pass@k and pass^k against counting every choice, and as a run's summary tells them."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from harness.analysis.several import ks_of, pass_at_k, pass_hat_k, summarise_several

CASES = [(n, c, k) for n in range(1, 8) for c in range(n + 1) for k in range(1, n + 1)]


@pytest.mark.parametrize(("n", "c", "k"), CASES)
def test_both_are_what_counting_every_choice_of_k_answers_gives(n: int, c: int, k: int) -> None:
    choices = list(combinations([True] * c + [False] * (n - c), k))
    assert pass_at_k(n, c, k) == pytest.approx(np.mean([any(each) for each in choices]))
    assert pass_hat_k(n, c, k) == pytest.approx(np.mean([all(each) for each in choices]))


@pytest.mark.parametrize(("n", "c", "k"), [(200, 3, 1), (200, 3, 10), (200, 60, 100), (1000, 1, 999)])
def test_pass_at_k_is_the_product_of_the_paper_that_proposed_it(n: int, c: int, k: int) -> None:
    """Chen et al. 2021, figure 3: 1 − Π (1 − k/i) for i from n − c + 1 to n."""
    expected = 1.0 if n - c < k else 1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1))
    assert pass_at_k(n, c, k) == pytest.approx(float(expected))


@pytest.mark.parametrize(("n", "c", "k"), [(3, 4, 1), (3, -1, 1), (3, 1, 0), (3, 1, 4), (0, 0, 1)])
def test_impossible_counts_are_refused(n: int, c: int, k: int) -> None:
    for estimate in (pass_at_k, pass_hat_k):
        with pytest.raises(ValueError, match="0 <= passed <= answers"):
            estimate(n, c, k)


@pytest.mark.parametrize(
    ("answers", "ks"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (8, [1, 2, 4, 8]), (5, [1, 2, 4, 5])]
)
def test_powers_of_two_and_all_answers_are_told(answers: int, ks: list[int]) -> None:
    assert ks_of(answers) == ks


def summarise(make_columns: Any, make_suite: Any, passed: dict[str, list[float]], **groups: str) -> Any:
    prompts = [name for name, values in passed.items() for _ in values]
    values = np.array([value for each in passed.values() for value in each])
    columns = make_columns(len(values), prompt_id=np.array(prompts, dtype=object), passed=values)
    return summarise_several(columns, make_suite(prompts=len(passed)).prompts)


def test_each_prompt_counts_once_however_often_it_was_asked(make_columns: Any, make_suite: Any) -> None:
    several = summarise(make_columns, make_suite, {"p0": [1, 1, 0, 0], "p1": [1, 1, 1, 1], "p2": [0, 0, 0]})
    assert (several.answers, several.prompts, several.left_out) == (3, 3, 0)
    assert several.pass_at[1].value == several.pass_hat[1].value == pytest.approx((0.5 + 1 + 0) / 3)
    assert several.pass_at[2].value == pytest.approx((5 / 6 + 1 + 0) / 3)
    assert several.pass_hat[2].value == pytest.approx((1 / 6 + 1 + 0) / 3)
    assert several.pass_hat[3].value == pytest.approx((0 + 1 + 0) / 3)
    for interval in (*several.pass_at.values(), *several.pass_hat.values()):
        assert 0 <= interval.low < interval.value < interval.high <= 1


def test_unscored_answers_are_left_out_and_prompts_with_too_few_are_told(make_columns: Any, make_suite: Any) -> None:
    several = summarise(make_columns, make_suite, {"p0": [1, 1, 1, 0], "p1": [1, np.nan, np.nan, np.nan]})
    assert (several.answers, several.prompts, several.left_out) == (4, 1, 1)
    assert several.pass_at[1].value == pytest.approx(0.75)


def test_one_answer_a_prompt_says_nothing_of_several(make_columns: Any, make_suite: Any) -> None:
    assert summarise(make_columns, make_suite, {"p0": [1], "p1": [0]}) is None
    assert summarise(make_columns, make_suite, {"p0": [np.nan, np.nan]}) is None
