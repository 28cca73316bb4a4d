"""pass@k and pass^k as a run's summary tells them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.analysis.summary.several import ks_of, summarise_several


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
