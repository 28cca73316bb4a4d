from datetime import date
from typing import Any

import pytest

from harness.catalog.live import ApplicationProfile
from harness.catalog.models import Model, find_model, known_models
from harness.catalog.regions import regions_of
from harness.catalog.sources import read_documented
from harness.catalog.target import Options, Target, distinguish, resolve_target, target_warnings
from harness.errors import CatalogError

SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
PROFILE_ARN = f"arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.{SONNET}"
MODEL_ARN = "arn:aws:bedrock:eu-west-2::foundation-model/anthropic.claude-opus-4-6-v1"
OWN_ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
SONNET_46 = "anthropic.claude-sonnet-4-6"
PREFIXES = ("global", "us", "eu", "jp", "apac", "au", "in", "us-gov")
DOCUMENTED = [base_id for base_id, facts in read_documented().items() if facts.routings]


def resolve(model: str, routing: str | None = None, **more: Any) -> Target:
    return resolve_target(**{"model": model, "routing": routing, "api": "converse", "client": "aioboto3", **more})


@pytest.mark.parametrize("routing", PREFIXES)
@pytest.mark.parametrize("base_id", DOCUMENTED)
def test_each_documented_model_takes_the_prefixes_offered_and_refuses_the_others(base_id: str, routing: str) -> None:
    model = find_model(base_id)
    if routing in model.routings:
        assert f"{routing}.{base_id}" == resolve(base_id, routing).model_id
    else:
        expected = f"'{routing}' is not offered for {model.name} (offered: {', '.join(model.routings)})"
        with pytest.raises(CatalogError) as refusal:
            resolve(base_id, routing)
        assert expected == str(refusal.value)


def test_the_refusal_reads_as_the_design_says() -> None:
    with pytest.raises(CatalogError) as refusal:
        resolve("claude-opus-4-5", "apac")
    assert str(refusal.value) == "'apac' is not offered for claude-opus-4-5 (offered: global, us, eu)"


@pytest.mark.parametrize("model", known_models(), ids=lambda model: model.name)
def test_the_default_routing_and_region_of_every_model_are_offered(model: Model) -> None:
    target = resolve(model.name)
    assert ("global" if "global" in model.routings else next(iter(model.routings))) == target.routing
    assert target.region in (regions_of(model, target.routing) or ("us-east-1",))


def test_a_target_holds_what_goes_on_the_wire() -> None:
    target = resolve("claude-sonnet-4-5", "global")
    assert target.name == "claude-sonnet-4-5/global/converse"
    assert (target.model, target.base_model) == ("claude-sonnet-4-5", SONNET)
    assert (target.model_id, target.routing, target.region) == (f"global.{SONNET}", "global", "us-east-1")


def test_in_region_sends_the_bare_id() -> None:
    assert resolve("claude-sonnet-4-5", "in-region").model_id == SONNET


def test_a_label_is_the_targets_name() -> None:
    assert resolve("claude-haiku-4-5", "eu", label="eu-haiku").name == "eu-haiku"


@pytest.mark.parametrize(
    ("given", "routing", "region"),
    [
        ({"model": f"us.{SONNET}"}, "us", "us-east-1"),
        ({"model": SONNET}, "global", "us-east-1"),
        ({"model": f"eu.{SONNET}", "routing": "eu"}, "eu", "eu-central-1"),
        ({"model": "claude-sonnet-4-5", "routing": "jp"}, "jp", "ap-northeast-1"),
        ({"model": "claude-sonnet-4-5", "routing": "au"}, "au", "ap-southeast-2"),
        ({"model": "claude-sonnet-4", "routing": "apac"}, "apac", "ap-southeast-1"),
        ({"model": "claude-haiku-4-5", "routing": "in"}, "in", "ap-south-1"),
        ({"model": "claude-opus-5", "routing": "us-gov"}, "us-gov", "us-gov-west-1"),
        ({"model": "claude-opus-5", "routing": "us-gov", "home_region": "us-east-1"}, "us-gov", "us-gov-west-1"),
        ({"model": f"us-gov.{SONNET}", "home_region": "us-gov-east-1"}, "us-gov", "us-gov-east-1"),
        ({"model": "claude-opus-4-6", "routing": "in-region"}, "in-region", "eu-west-2"),
        ({"model": "claude-sonnet-4-5", "home_region": "eu-west-1"}, "global", "eu-west-1"),
        ({"model": "claude-sonnet-4-5", "routing": "eu", "home_region": "eu-west-1"}, "eu", "eu-west-1"),
        ({"model": "claude-sonnet-4-5", "routing": "us", "home_region": "eu-west-1"}, "us", "us-east-1"),
        ({"model": "claude-3-opus", "routing": "us", "home_region": "eu-west-1"}, "us", "us-east-1"),
        ({"model": "claude-sonnet-4-5", "routing": "in-region", "home_region": "eu-west-1"}, "in-region", "eu-west-1"),
        ({"model": "claude-sonnet-4-5", "routing": "us", "region": "us-west-2"}, "us", "us-west-2"),
    ],
)
def test_routing_and_region_follow_from_what_is_given(given: dict[str, str], routing: str, region: str) -> None:
    target = resolve(**given)
    assert (routing, region) == (target.routing, target.region)


@pytest.mark.parametrize(
    ("given", "arn", "routing", "region"),
    [
        ({"model": PROFILE_ARN}, PROFILE_ARN, "eu", "eu-west-1"),
        ({"model": "claude-sonnet-4-5", "routing": PROFILE_ARN}, PROFILE_ARN, "eu", "eu-west-1"),
        ({"model": MODEL_ARN}, MODEL_ARN, "in-region", "eu-west-2"),
    ],
)
def test_an_arn_goes_on_the_wire_as_given(given: dict[str, str], arn: str, routing: str, region: str) -> None:
    target = resolve(**given)
    assert (arn, routing, region) == (target.model_id, target.routing, target.region)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model": f"us.{SONNET}", "routing": "global"}, "the model's id says 'us' but routing says 'global'"),
        ({"model": PROFILE_ARN, "region": "us-east-1"}, "the ARN says 'eu-west-1' but region says 'us-east-1'"),
        ({"model": "claude-opus-4-5", "routing": PROFILE_ARN}, "a profile of another model than claude-opus-4-5"),
        ({"model": f"us.{SONNET}", "routing": PROFILE_ARN}, "the model's id says 'us' but routing 'arn:"),
        ({"model": PROFILE_ARN, "routing": OWN_ARN}, "are two ARNs; drop one of them"),
        ({"model": OWN_ARN}, "only the account knows its model; write the model's name as model"),
        ({"model": "claude-sonnet-4-6", "routing": "application"}, "write its ARN as routing"),
        (
            {"model": "claude-opus-4-1", "routing": OWN_ARN.replace("us-east-1", "eu-west-1")},
            "Region 'eu-west-1' does not",
        ),
        ({"model": f"apac.{SONNET_46}", "routing": OWN_ARN}, "'apac' is not offered for claude-sonnet-4-6"),
        ({"model": f"jp.{SONNET_46}", "routing": OWN_ARN}, "Region 'us-east-1' does not carry 'jp'"),
        (
            {"model": "claude-opus-5", "routing": "us-gov", "region": "us-east-1"},
            "Region 'us-east-1' does not carry 'us-gov' for claude-opus-5 (offered in: us-gov-east-1, us-gov-west-1)",
        ),
        ({"model": "claude-3-haiku", "routing": "eu", "region": "us-east-1"}, "'us-east-1' does not carry 'eu'"),
        (
            {"model": "claude-sonnet-4-5", "routing": "jp", "region": "us-east-1"},
            "Region 'us-east-1' does not carry 'jp' for claude-sonnet-4-5 (offered in: ap-northeast-1, ap-northeast-3)",
        ),
        (
            {"model": "claude-sonnet-4", "routing": "apac", "region": "us-east-1"},
            "ap-southeast-1, ap-southeast-2 and 4 more)",
        ),
        ({"model": "claude-sonnet-4-5", "region": "us-esat-1"}, "unknown Region 'us-esat-1'; did you mean us-"),
        ({"model": "claude-3-opus", "region": "moon-1"}, "unknown Region 'moon-1'"),
        ({"model": "claude-opus-4-5", "routing": "in-region"}, "'in-region' is not offered for claude-opus-4-5"),
        ({"model": "claude-opus-9"}, "unknown model 'claude-opus-9'; did you mean claude-opus-"),
        ({"model": "amazon.nova-pro-v1:0"}, "unknown model 'amazon.nova-pro-v1:0'"),
        ({"model": ""}, "unknown model ''"),
    ],
)
def test_a_combination_that_does_not_exist_is_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(CatalogError) as refusal:
        resolve(**given)
    assert message in str(refusal.value)


def test_targets_that_share_a_name_get_what_tells_them_apart() -> None:
    shared = [resolve("claude-opus-4-5", "us", client=client) for client in ("aioboto3", "anthropic")]
    other = resolve("claude-opus-4-5", "eu")
    assert [target.name for target in distinguish([*shared, other])] == [
        "claude-opus-4-5/us/converse/aioboto3",
        "claude-opus-4-5/us/converse/anthropic",
        "claude-opus-4-5/eu/converse",
    ]


def test_region_and_mode_tell_targets_apart_where_the_client_does_not() -> None:
    variants = [("us-east-1", True), ("us-west-2", True), ("us-west-2", False)]
    targets = [resolve("claude-opus-4-5", "us", region=region, stream=stream) for region, stream in variants]
    assert [target.name for target in distinguish(targets)] == [
        "claude-opus-4-5/us/converse/us-east-1",
        "claude-opus-4-5/us/converse/us-west-2/stream",
        "claude-opus-4-5/us/converse/us-west-2/whole",
    ]


def test_labels_and_true_duplicates_keep_their_names() -> None:
    labelled = [resolve("claude-opus-4-5", client=client, label="mine") for client in ("aioboto3", "anthropic")]
    twice = [resolve("claude-opus-4-5")] * 2
    assert [target.name for target in distinguish([*labelled, *twice])] == [
        "mine",
        "mine",
        "claude-opus-4-5/global/converse",
        "claude-opus-4-5/global/converse",
    ]


def test_a_routing_that_only_the_guide_knows_is_allowed_and_warns() -> None:
    warnings = target_warnings(resolve("claude-sonnet-4-5", "in-region"), today=date(2026, 1, 15))
    assert any("'in-region' for claude-sonnet-4-5 is known only from the guide" in warning for warning in warnings)


def test_a_legacy_model_warns_and_an_active_one_does_not() -> None:
    today = date(2026, 11, 22)
    assert len(target_warnings(resolve("claude-sonnet-4-5"), today=today)) == 1
    assert target_warnings(resolve("claude-haiku-4-5"), today=today) == ()


@pytest.mark.parametrize(
    ("model", "routing", "profiles", "expected"),
    [
        ("claude-sonnet-4-6", OWN_ARN, {}, "application"),
        (f"global.{SONNET_46}", OWN_ARN, {}, "global"),
        (OWN_ARN, None, {OWN_ARN: "us"}, "us"),
        (OWN_ARN, None, {OWN_ARN: "application"}, "application"),
        (OWN_ARN, "us", {OWN_ARN: "application"}, "us"),
        ("claude-sonnet-4-6", OWN_ARN, {OWN_ARN: "global"}, "global"),
    ],
)
def test_an_application_profile_stands_for_the_model_that_the_suite_or_the_account_names(
    model: str, routing: str | None, profiles: dict[str, str], expected: str
) -> None:
    known = {
        arn: ApplicationProfile(arn=arn, name="team-a", base_id=SONNET_46, routing=origin)
        for arn, origin in profiles.items()
    }
    target = resolve(model, routing, profiles=known, home_region="eu-west-1")
    assert (SONNET_46, OWN_ARN) == (target.base_model, target.model_id)
    assert (f"claude-sonnet-4-6/{expected}/converse", expected) == (target.name, target.routing)
    assert target.region == "us-east-1"


def test_an_application_profile_of_another_model_than_the_one_beside_it_is_refused() -> None:
    known = {OWN_ARN: ApplicationProfile(arn=OWN_ARN, name="team-a", base_id=SONNET_46, routing="us")}
    with pytest.raises(CatalogError, match="a profile of another model than claude-opus-4-5"):
        resolve("claude-opus-4-5", OWN_ARN, profiles=known)


def test_an_application_profile_of_unknown_origin_warns_that_it_is_priced_as_regional() -> None:
    (warning,) = target_warnings(resolve("claude-sonnet-4-6", OWN_ARN), today=date(2026, 11, 22))
    assert "priced as regional" in warning
    assert f"model: global.{SONNET_46}" in warning


def test_application_profiles_of_one_model_are_distinguished_by_their_ids() -> None:
    arns = [OWN_ARN, OWN_ARN.replace("abc", "xyz")]
    targets = [resolve(f"global.{SONNET_46}", arn) for arn in arns] + [resolve("claude-sonnet-4-6", "global")]
    assert [target.name for target in distinguish(targets)] == [
        "claude-sonnet-4-6/global/converse/abc",
        "claude-sonnet-4-6/global/converse/xyz",
        "claude-sonnet-4-6/global/converse",
    ]


def test_a_beta_that_has_ended_warns() -> None:
    target = resolve("claude-sonnet-4-5", options=Options(beta=["context-1m-2025-08-07"]))
    assert any("ended on 2026-04-30" in warning for warning in target_warnings(target, today=date(2026, 11, 22)))
