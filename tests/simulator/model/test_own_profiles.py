"""The user's overrides of profiles."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from harness.errors import CatalogError, EndpointError
from harness.simulator.model.answers import count_tokens, lengthen
from harness.simulator.model.profiles import (
    ProfileOverride,
    apply_overrides,
    find_profile,
    load_profile_overrides,
    read_model_id,
)

GLOBAL = "global.anthropic.claude-haiku-4-5-20251001-v1:0"
BASE = "anthropic.claude-haiku-4-5-20251001-v1:0"


def written(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "profiles.json"
    path.write_text(json.dumps(content))
    return path


def test_an_alias_applies_to_every_route_of_a_model_and_a_profile_id_takes_precedence(tmp_path: Path) -> None:
    own = load_profile_overrides(written(tmp_path, {"claude-haiku-4-5": {"skill": 0.5}, GLOBAL: {"ttft_s": 9}}))
    assert {BASE: ProfileOverride(skill=0.5), GLOBAL: ProfileOverride(ttft_s=9)} == own
    for model_id, skill, ttft_s in ((f"us.{BASE}", 0.5, 0.6), (GLOBAL, 0.78, 9)):
        model = read_model_id(model_id)
        assert model is not None
        profile = find_profile(model)
        assert profile is not None
        adapted = apply_overrides(profile, own, model_id=model_id, model=model)
        assert (skill, ttft_s) == (adapted.skill, adapted.ttft_median_s)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"claude-haiku-4-5": {"skil": 0.5}}, "unknown field `skil`"),
        ({"claude-haiku-4-5": {"skill": 1.5}}, "<= 1"),
        ([], "not a file of profiles"),
    ],
)
def test_an_invalid_override_is_rejected(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(EndpointError, match=message):
        load_profile_overrides(written(tmp_path, content))


def test_an_unknown_model_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="claude-haiku-9"):
        load_profile_overrides(written(tmp_path, {"claude-haiku-9": {}}))


@pytest.mark.parametrize("verbosity", [1.0, 1.5, 2.0, 5.0])
def test_a_verbose_answer_starts_the_same_and_has_that_many_times_the_tokens(verbosity: float) -> None:
    text = "The total is 47 euros and 11 cents."
    longer = lengthen(text, verbosity, Random(1))
    assert longer.startswith(text)
    assert round(verbosity * count_tokens(text)) == pytest.approx(count_tokens(longer), abs=1)
