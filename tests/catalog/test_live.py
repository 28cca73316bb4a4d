from datetime import UTC, date, datetime
from typing import Any

import pytest

from harness.catalog.live import ApplicationProfile, live_facts, read_application_profiles
from harness.catalog.models import Model, find_model, known_models
from harness.catalog.sources import Fact
from harness.errors import CatalogError

REGION, DAY = "us-east-1", date(2026, 11, 22)
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "amazon.nova-pro-v1:0"
ACCOUNT = f"arn:aws:bedrock:{REGION}:123456789012"


def summary(base_id: str, *, types: tuple[str, ...] = ("INFERENCE_PROFILE",), **lifecycle: Any) -> dict[str, Any]:
    return {
        "modelArn": f"arn:aws:bedrock:{REGION}::foundation-model/{base_id}",
        "modelId": base_id,
        "modelName": "A model",
        "providerName": "Anthropic",
        "inputModalities": ["TEXT", "IMAGE"],
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": True,
        "inferenceTypesSupported": list(types),
        "modelLifecycle": {"status": "ACTIVE", **lifecycle},
    }


def profile(name: str, base_id: str = SONNET, *, regions: tuple[str, ...] = (REGION,), **more: Any) -> dict[str, Any]:
    """A system-defined profile where `name` is a prefix, else an application profile with this id."""
    own = name.startswith("own")
    profile_id = name if own else f"{name}.{base_id}"
    kind = "application-inference-profile" if own else "inference-profile"
    return {
        "inferenceProfileName": name,
        "inferenceProfileArn": f"{ACCOUNT}:{kind}/{profile_id}",
        "inferenceProfileId": profile_id,
        "createdAt": datetime(2026, 1, 1, tzinfo=UTC),
        "models": [{"modelArn": f"arn:aws:bedrock:{region}::foundation-model/{base_id}"} for region in regions],
        "status": "ACTIVE",
        "type": "APPLICATION" if own else "SYSTEM_DEFINED",
        **more,
    }


def live(*answers: dict[str, Any]) -> dict[str, Model]:
    summaries = [answer for answer in answers if "modelId" in answer]
    profiles = [answer for answer in answers if "type" in answer]
    models = known_models(live_facts(summaries, profiles, region=REGION, as_of=DAY))
    return {model.name: model for model in models}


def test_every_live_fact_carries_the_account_its_region_and_the_day() -> None:
    facts = live_facts([summary(SONNET)], [profile("us")], region=REGION, as_of=DAY)[SONNET]
    source: dict[str, Any] = {"source": "live account in us-east-1", "as_of": "2026-11-22"}
    assert facts.live_region == REGION
    assert {"us": Fact(value=(REGION,), **source)} == facts.routings
    assert Fact(value="active", **source) == facts.status
    assert facts.legacy is facts.end_of_life is None


@pytest.mark.parametrize(
    "moment",
    [datetime(2027, 4, 8, 7, tzinfo=UTC), "2027-04-08T07:00:00Z", datetime(2027, 4, 8, 7, tzinfo=UTC).timestamp()],
)
def test_lifecycle_dates_are_read_as_the_sdk_or_the_wire_gives_them(moment: object) -> None:
    answer = summary(SONNET, status="LEGACY", legacyTime=moment, publicExtendedAccessTime=moment, endOfLifeTime=moment)
    model = live(answer, profile("us"))["claude-sonnet-4-5"]
    assert model.status is not None
    assert model.status.value == "legacy"
    for fact in (model.legacy, model.extended_access, model.end_of_life):
        assert fact == Fact(value=date(2027, 4, 8), source="live account in us-east-1", as_of="2026-11-22")


def test_a_profile_that_is_active_does_not_make_its_legacy_model_active() -> None:
    model = live(summary(SONNET, status="LEGACY"), profile("us"), profile("global"))["claude-sonnet-4-5"]
    assert model.status is not None
    assert (model.status.value, model.status.source) == ("legacy", "live account in us-east-1")


def test_what_the_account_does_not_say_stays_with_the_older_sources() -> None:
    model = live(summary(SONNET), profile("us"))["claude-sonnet-4-5"]
    assert model.context_window == find_model("claude-sonnet-4-5").context_window
    assert model.end_of_life == find_model("claude-sonnet-4-5").end_of_life


def test_in_the_region_asked_only_what_the_account_lists_is_offered() -> None:
    routings = live(summary(SONNET), profile("us"))["claude-sonnet-4-5"].routings
    assert routings["us"] == Fact(value=(REGION,), source="live account in us-east-1", as_of="2026-11-22")
    assert REGION in find_model("claude-sonnet-4-5").routings["global"].value
    assert REGION not in routings["global"].value
    assert "eu-central-1" in routings["global"].value
    assert routings["jp"] == find_model("claude-sonnet-4-5").routings["jp"]


def test_on_demand_is_the_bare_id_and_a_profile_that_is_not_active_is_none() -> None:
    answers = (summary(SONNET, types=("ON_DEMAND", "PROVISIONED")), profile("us", status="FAILED"))
    facts = live_facts(answers[:1], answers[1:], region=REGION, as_of=DAY)
    assert list(facts[SONNET].routings) == ["in-region"]


def test_a_geography_that_no_source_knew_is_taken_up() -> None:
    assert "ca" in live(summary(SONNET), profile("ca"))["claude-sonnet-4-5"].routings


def test_a_model_that_no_source_knew_is_taken_up_and_others_providers_are_not() -> None:
    found = live(summary("anthropic.claude-opus-9"), profile("us", "anthropic.claude-opus-9"), summary(NOVA))
    assert found["claude-opus-9"].generation == (9, 0)
    assert found["claude-opus-9"].live_region == REGION
    assert not any("nova" in name for name in found)


def test_a_model_of_which_the_account_is_silent_keeps_what_is_documented() -> None:
    assert live(summary(SONNET), profile("us"))["claude-opus-4-5"] == find_model("claude-opus-4-5")


def test_an_answer_of_another_shape_is_reported_and_no_traceback() -> None:
    with pytest.raises(CatalogError, match="does not have the documented form"):
        live_facts([{"modelId": 3}], [], region=REGION, as_of=DAY)


@pytest.mark.parametrize(
    ("regions", "expected"),
    [
        (("us-east-1", "us-west-2", ""), "global"),
        (("us-east-1",), "in-region"),
        (("us-east-1", "us-west-2"), "us"),
        (("us-west-2", "us-east-1"), "us"),
        (("us-east-1", "us-east-2"), "application"),
    ],
)
def test_an_application_profile_has_the_routing_of_what_it_was_made_from(
    regions: tuple[str, ...], expected: str
) -> None:
    answers = [profile("us", regions=("us-east-1", "us-west-2")), profile("own-abc", regions=regions)]
    arn = f"{ACCOUNT}:application-inference-profile/own-abc"
    assert read_application_profiles(answers) == {
        arn: ApplicationProfile(arn=arn, name="own-abc", base_id=SONNET, routing=expected)
    }


def test_an_application_profile_of_another_providers_model_is_passed_over() -> None:
    assert read_application_profiles([profile("own-abc", NOVA)]) == {}
