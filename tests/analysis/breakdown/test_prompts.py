import numpy as np

from harness.analysis.breakdown.prompts import prompt_grid


def test_prompts_on_which_targets_differ_come_first_then_those_that_fail(make_columns) -> None:
    a = make_columns(4, passed=np.array([1.0, 0.0, 1.0, 0.0]))
    b = make_columns(4, "b", passed=np.array([1.0, 0.0, 0.0, 0.0]))
    grid = prompt_grid({"a": a, "b": b}, ["a", "b"])
    assert grid.prompts == ["p2", "p1", "p3", "p0"]
    assert grid.shares.tolist() == [[1, 0], [0, 0], [0, 0], [1, 1]]
    assert grid.spread.tolist() == [1, 0, 0, 0]


def test_what_was_not_scored_is_unknown_and_no_difference(make_columns) -> None:
    a = make_columns(2, passed=np.array([1.0, np.nan]))
    b = make_columns(2, "b", passed=np.array([np.nan, np.nan]))
    grid = prompt_grid({"a": a, "b": b}, ["a", "b", "absent"])
    assert grid.prompts == ["p0"]
    assert np.isnan(grid.shares[0]).tolist() == [False, True, True]
    assert grid.spread.tolist() == [0]


def test_repeats_are_counted(make_columns) -> None:
    c = make_columns(20, passed=np.r_[np.ones(10), np.zeros(10)])
    grid = prompt_grid({"a": c}, ["a"])
    assert (grid.passed.max(), grid.scored.max(), set(grid.mean)) == (1, 2, {0.5})
