from datetime import date

import pytest

from harness.catalog.limits import LONG_CONTEXT_BETA, burndown, burndown_fact, context_window, long_context_warning
from harness.catalog.models import find_model

TODAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("name", "beta", "expected"),
    [
        ("claude-sonnet-4-5", None, 200_000),
        ("claude-sonnet-4-5", [], 200_000),
        ("claude-sonnet-4-5", ["another-beta"], 200_000),
        ("claude-sonnet-4-5", [LONG_CONTEXT_BETA], 1_000_000),
        ("claude-sonnet-4", [LONG_CONTEXT_BETA], 1_000_000),
        ("claude-opus-4-5", [LONG_CONTEXT_BETA], 200_000),
        ("claude-sonnet-4-6", None, 1_000_000),
        ("claude-fable-5", None, None),
    ],
)
def test_the_context_window_is_the_models_own_or_the_betas(name: str, beta: list[str] | None, expected: int) -> None:
    assert expected == context_window(find_model(name), beta)


@pytest.mark.parametrize(
    ("name", "beta", "today", "part"),
    [
        ("claude-sonnet-4-5", [LONG_CONTEXT_BETA], TODAY, "ended on 2026-04-30"),
        ("claude-sonnet-4-5", [LONG_CONTEXT_BETA], date(2026, 4, 29), None),
        ("claude-sonnet-4-5", None, TODAY, None),
        ("claude-sonnet-4-6", [LONG_CONTEXT_BETA], TODAY, "its window is 1,000,000 tokens without it"),
    ],
)
def test_the_beta_warns_once_it_has_ended_and_where_it_does_nothing(
    name: str, beta: list[str] | None, today: date, part: str | None
) -> None:
    warning = long_context_warning(find_model(name), beta, today)
    assert warning is None if part is None else warning is not None and part in warning


@pytest.mark.parametrize(
    ("base_id", "expected"),
    [
        ("anthropic.claude-opus-4-8", 15),
        ("anthropic.claude-sonnet-5", 10),
        ("anthropic.claude-opus-5", 10),
        ("anthropic.claude-opus-4-7", 5),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", 5),
        ("anthropic.claude-3-7-sonnet-20250219-v1:0", 5),
        ("anthropic.claude-3-5-haiku-20241022-v1:0", 1),
        ("anthropic.claude-3-haiku-20240307-v1:0", 1),
        ("anthropic.claude-opus-5-5", 5),
    ],
)
def test_the_burndown_is_the_documented_one(base_id: str, expected: int) -> None:
    assert expected == burndown(base_id)


def test_a_guessed_burndown_says_that_it_is_one() -> None:
    assert "guess" in burndown_fact("anthropic.claude-opus-5-5").source
    assert "AWS's page" in burndown_fact("anthropic.claude-opus-5").source
