from datetime import date
from typing import Any

import pytest

from harness.catalog.models import Model, find_model, known_models, lifecycle_warning
from harness.catalog.sources import Fact, Facts, read_documented
from harness.errors import CatalogError

TODAY = date(2026, 11, 22)


def facts_of(model: Model) -> list[Fact[Any]]:
    named = [
        getattr(model, field) for field in Facts.__struct_fields__ if field not in ("title", "routings", "live_region")
    ]
    return [fact for fact in [*named, *model.routings.values()] if fact is not None]


@pytest.mark.parametrize("model", known_models(), ids=lambda model: model.name)
def test_every_fact_carries_source_and_date(model: Model) -> None:
    assert facts_of(model)
    assert all(fact.source and fact.as_of for fact in facts_of(model))


def test_names_ids_and_aliases_are_unique() -> None:
    keys = [key for model in known_models() for key in (model.name, model.base_id, *model.aliases)]
    assert sorted(set(keys)) == sorted(keys)


def test_the_newest_generation_comes_first() -> None:
    generations = [model.generation for model in known_models()]
    assert generations == sorted(generations, reverse=True)


@pytest.mark.parametrize("base_id", [base_id for base_id, facts in read_documented().items() if facts.routings])
def test_every_documented_routing_survives_the_merge(base_id: str) -> None:
    assert set(read_documented()[base_id].routings) <= set(find_model(base_id).routings)


def test_the_package_adds_to_what_the_guide_offers_and_each_routing_says_where_it_is_from() -> None:
    routings = find_model("claude-sonnet-4-5").routings
    assert ["global", "us", "eu", "jp", "au", "us-gov", "in-region"] == list(routings)
    assert routings["au"].source.startswith("bedrock-models")
    assert routings["jp"].source.startswith("bedrock-models")
    assert routings["in-region"].source.startswith("the guide")


def test_the_packages_status_overrides_the_guides() -> None:
    documented = read_documented()["anthropic.claude-sonnet-4-5-20250929-v1:0"].status
    merged = find_model("claude-sonnet-4-5").status
    assert documented is not None
    assert documented.value == "active"
    assert merged is not None
    assert merged.value == "legacy"
    assert merged.source.startswith("bedrock-models")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("claude-sonnet-4-5", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("claude-sonnet-4", "claude-sonnet-4"),
        ("claude-haiku-3-5", "claude-3-5-haiku"),
        ("claude-3-5-sonnet", "claude-3-5-sonnet"),
        ("claude-3-5-sonnet-20241022", "claude-3-5-sonnet"),
        ("claude-3-5-sonnet-20240620", "claude-3-5-sonnet-20240620"),
    ],
)
def test_a_model_is_found_by_every_name_it_goes_by(text: str, name: str) -> None:
    assert name == find_model(text).name


def test_an_unknown_model_is_answered_with_the_nearest_known_ones() -> None:
    with pytest.raises(CatalogError, match=r"unknown model 'claude-sonet-4-5'; did you mean claude-sonnet-4-5 or"):
        find_model("claude-sonet-4-5")


def test_a_name_that_resembles_nothing_points_to_the_list() -> None:
    with pytest.raises(CatalogError, match=r"^unknown model 'gpt-oss'; `harness models` lists the known models$"):
        find_model("gpt-oss")


@pytest.mark.parametrize(
    ("name", "today", "parts"),
    [
        ("claude-3-7-sonnet", TODAY, ["deprecated since 2025-10-28", "the guide"]),
        ("claude-3-opus", TODAY, ["deprecated since 2025-06-30"]),
        ("claude-3-5-haiku", TODAY, ["deprecated since 2025-12-19"]),
        ("claude-sonnet-4", TODAY, ["reached its end of life on 2026-10-14", "Bedrock refuses it"]),
        ("claude-3-haiku", TODAY, ["reached its end of life on 2026-09-10", "Bedrock refuses it"]),
        ("claude-sonnet-4", date(2026, 10, 13), ["is legacy (bedrock-models"]),
        ("claude-sonnet-4-5", TODAY, ["legacy since 2026-10-08", "costs more from 2027-01-08, end of life 2027-04-08"]),
        ("claude-sonnet-4-5", date(2027, 1, 8), ["has cost more since 2027-01-08"]),
        ("claude-sonnet-4-5", date(2027, 4, 8), ["reached its end of life on 2027-04-08"]),
        ("claude-3-5-sonnet", TODAY, ["is legacy (bedrock-models"]),
    ],
)
def test_a_model_with_an_end_in_sight_warns_with_dates_and_source(name: str, today: date, parts: list[str]) -> None:
    warning = lifecycle_warning(find_model(name), today)
    assert warning is not None
    assert [part for part in parts if part not in warning] == []


@pytest.mark.parametrize("name", ["claude-opus-4-5", "claude-haiku-4-5", "claude-sonnet-5-5"])
def test_an_active_model_warns_of_nothing(name: str) -> None:
    assert lifecycle_warning(find_model(name), TODAY) is None
