import numpy as np
import pytest

from harness.analysis.breakdown.lengths import medians_by, trend_over_prompts, whole_input_tokens


def test_medians_are_those_of_each_code() -> None:
    codes, values = np.array([2, 0, 2, 0, 2, 5]), np.array([9.0, 1.0, 7.0, 4.0, 8.0, 3.0])
    assert medians_by(codes, values).tolist() == [2.5, 8.0, 3.0]


def test_cached_tokens_are_input_too(make_columns) -> None:
    c = make_columns(2, cache_read_tokens=np.array([100.0, np.nan]))
    assert whole_input_tokens(c).tolist() == [120.0, 20.0]


def test_requests_of_one_prompt_are_one_point(make_columns) -> None:
    c = make_columns(100)
    lengths = np.tile(np.arange(1.0, 11.0), 10)
    trend = trend_over_prompts(c, lengths, 2 * lengths)
    assert (trend.points, trend.slope.value) == (10, pytest.approx(2.0))


def test_unknown_values_have_no_trend(make_columns) -> None:
    assert trend_over_prompts(make_columns(), np.full(10, np.nan), np.ones(10)) is None
