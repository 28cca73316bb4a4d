"""Models that behave as a user says."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from harness.errors import CatalogError, EndpointError
from harness.simulator.model.answers import count_tokens, lengthen
from harness.simulator.model.profiles import OwnProfile, adapt, find_profile, load_own_profiles, read_model_id

GLOBAL = "global.anthropic.claude-haiku-4-5-20251001-v1:0"
BASE = "anthropic.claude-haiku-4-5-20251001-v1:0"


def written(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "profiles.json"
    path.write_text(json.dumps(content))
    return path


def test_an_alias_stands_for_every_way_to_call_a_model_and_a_profile_id_wins(tmp_path: Path) -> None:
    own = load_own_profiles(written(tmp_path, {"claude-haiku-4-5": {"skill": 0.5}, GLOBAL: {"ttft_s": 9}}))
    assert {BASE: OwnProfile(skill=0.5), GLOBAL: OwnProfile(ttft_s=9)} == own
    for model_id, skill, ttft_s in ((f"us.{BASE}", 0.5, 0.6), (GLOBAL, 0.78, 9)):
        model = read_model_id(model_id)
        assert model is not None
        profile = find_profile(model)
        assert profile is not None
        adapted = adapt(profile, own, model_id=model_id, model=model)
        assert (skill, ttft_s) == (adapted.skill, adapted.ttft_median_s)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"claude-haiku-4-5": {"skil": 0.5}}, "unknown field `skil`"),
        ({"claude-haiku-4-5": {"skill": 1.5}}, "<= 1"),
        ([], "no profiles"),
    ],
)
def test_what_is_no_profile_is_refused(tmp_path: Path, content: object, told: str) -> None:
    with pytest.raises(EndpointError, match=told):
        load_own_profiles(written(tmp_path, content))


def test_an_unknown_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="claude-haiku-9"):
        load_own_profiles(written(tmp_path, {"claude-haiku-9": {}}))


@pytest.mark.parametrize("verbosity", [1.0, 1.5, 2.0, 5.0])
def test_a_verbose_answer_begins_the_same_and_has_so_many_times_the_tokens(verbosity: float) -> None:
    text = "The total is 47 euros and 11 cents."
    longer = lengthen(text, verbosity, Random(1))
    assert longer.startswith(text)
    assert round(verbosity * count_tokens(text)) == pytest.approx(count_tokens(longer), abs=1)
