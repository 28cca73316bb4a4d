from datetime import date

import pytest

from harness.catalog.names import IN_REGION
from harness.catalog.sources import Fact, read_documented, read_geographies, read_package

GUIDE_TABLE = {
    "anthropic.claude-sonnet-4-5-20250929-v1:0": {"global", "us", "eu", "jp"},
    "anthropic.claude-sonnet-4-20250514-v1:0": {"global", "us", "eu", "apac"},
    "anthropic.claude-3-7-sonnet-20250219-v1:0": {"us", "eu", "apac"},
    "anthropic.claude-opus-4-5-20251101-v1:0": {"global", "us", "eu"},
    "anthropic.claude-opus-4-1-20250805-v1:0": {"us"},
    "anthropic.claude-opus-4-20250514-v1:0": {"us"},
    "anthropic.claude-3-opus-20240229-v1:0": {"us"},
    "anthropic.claude-haiku-4-5-20251001-v1:0": {"global", "us", "eu"},
    "anthropic.claude-3-5-haiku-20241022-v1:0": {"us"},
    "anthropic.claude-3-haiku-20240307-v1:0": {"us", "eu", "apac"},
}


def test_documented_holds_the_guides_table() -> None:
    guide = "the guide 'Claude on Amazon Bedrock'"
    tabled: dict[str, set[str]] = {}
    for base_id, facts in read_documented().items():
        for routing, fact in facts.routings.items():
            if fact.source == guide and routing != IN_REGION:
                tabled.setdefault(base_id, set()).add(routing)
    assert tabled == GUIDE_TABLE


def test_the_government_geography_is_listed_with_regions_and_premium_by_named_sources() -> None:
    listed = {base_id for base_id, facts in read_documented().items() if "us-gov" in facts.routings}
    assert {"anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic.claude-opus-5"} <= listed
    geography = read_geographies()["us-gov"]
    assert (("us-gov-east-1", "us-gov-west-1"), 0.2) == (geography.regions.value, geography.premium.value)
    assert "botocore" in geography.regions.source


def test_the_one_million_beta_is_known_for_the_two_models_that_had_it_with_its_end() -> None:
    had = {base_id: facts for base_id, facts in read_documented().items() if facts.long_context}
    assert {"anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic.claude-sonnet-4-20250514-v1:0"} == set(had)
    assert {date(2026, 4, 30)} == {facts.long_context_ended.value for facts in had.values() if facts.long_context_ended}


@pytest.mark.parametrize(
    ("base_id", "since"),
    [
        ("anthropic.claude-3-7-sonnet-20250219-v1:0", date(2025, 10, 28)),
        ("anthropic.claude-3-opus-20240229-v1:0", date(2025, 6, 30)),
        ("anthropic.claude-3-5-haiku-20241022-v1:0", date(2025, 12, 19)),
    ],
)
def test_documented_holds_the_guides_deprecations(base_id: str, since: date) -> None:
    guide = "the guide 'Claude on Amazon Bedrock'"
    assert Fact(value=since, source=guide, as_of="early 2026") == read_documented()[base_id].deprecated


def test_the_packages_facts_carry_its_version_and_the_entrys_date() -> None:
    fact = read_package()["anthropic.claude-opus-4-5-20251101-v1:0"].routings["us"]
    assert fact.source.startswith("bedrock-models ")
    assert date.fromisoformat(fact.as_of) > date(2025, 11, 24)
    assert {"us-east-1", "us-west-2"} <= set(fact.value)
    assert list(fact.value) == sorted(fact.value)


def test_models_that_only_mantle_serves_are_left_out_of_the_package() -> None:
    assert "anthropic.claude-haiku-4-5-20251001-v1:0" in read_package()
    assert "anthropic.claude-haiku-4-5" not in read_package()


def test_on_demand_where_mantle_serves_the_model_is_no_proof_of_a_bare_id_on_runtime() -> None:
    listed = read_package()
    assert IN_REGION not in listed["anthropic.claude-opus-4-7"].routings
    assert listed["anthropic.claude-opus-4-6-v1"].routings[IN_REGION].value == ("eu-west-2",)
