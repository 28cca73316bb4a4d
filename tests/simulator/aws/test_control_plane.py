"""The control plane and the other AWS services through unmodified aioboto3."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from botocore.exceptions import ClientError

from harness.catalog.models import find_model, known_models
from harness.catalog.names import IN_REGION, model_id

Start = Callable[..., Awaitable[str]]
Open = Callable[..., Awaitable[Any]]

SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
OPUS_3 = "anthropic.claude-3-opus-20240229-v1:0"


async def test_the_models_of_a_region_are_the_catalogs(simulator: Start, boto: Open) -> None:
    client = await boto("bedrock", await simulator(), region_name="ap-northeast-1")
    listed = (await client.list_foundation_models(byProvider="anthropic"))["modelSummaries"]
    kinds = {each["modelId"]: set(each["inferenceTypesSupported"]) for each in listed}
    for model in known_models():
        carried = {routing for routing, fact in model.routings.items() if "ap-northeast-1" in fact.value}
        if carried:
            assert ("ON_DEMAND" in kinds[model.base_id]) >= (IN_REGION in carried)
            assert ("INFERENCE_PROFILE" in kinds[model.base_id]) >= bool(carried - {IN_REGION})


@pytest.mark.parametrize(
    ("filters", "has_sonnet", "has_others"),
    [
        ({}, True, True),
        ({"byProvider": "Anthropic"}, True, False),
        ({"byProvider": "amazon"}, False, True),
        ({"byOutputModality": "TEXT"}, True, True),
        ({"byOutputModality": "IMAGE"}, False, False),
        ({"byInferenceType": "PROVISIONED"}, False, False),
        ({"byCustomizationType": "FINE_TUNING"}, False, False),
    ],
)
async def test_models_are_filtered(
    simulator: Start, boto: Open, filters: dict[str, str], has_sonnet: bool, has_others: bool
) -> None:
    client = await boto("bedrock", await simulator())
    listed = (await client.list_foundation_models(**filters))["modelSummaries"]
    assert (SONNET in {each["modelId"] for each in listed}) is has_sonnet
    assert any(each["providerName"] != "Anthropic" for each in listed) is has_others


async def test_a_model_has_its_lifecycle_dates(simulator: Start, boto: Open) -> None:
    client = await boto("bedrock", await simulator())
    statuses = {}
    for base_id in (SONNET, HAIKU, OPUS_3):
        details = (await client.get_foundation_model(modelIdentifier=base_id))["modelDetails"]
        statuses[details["modelName"]] = details["modelLifecycle"]["status"]
    assert {"Claude Sonnet 4.5": "LEGACY", "Claude Haiku 4.5": "ACTIVE", "Claude 3 Opus": "LEGACY"} == statuses


async def test_profiles_are_paged_without_gaps_or_repeats(simulator: Start, boto: Open) -> None:
    client = await boto("bedrock", await simulator())
    pages = [
        page["inferenceProfileSummaries"]
        async for page in client.get_paginator("list_inference_profiles").paginate(PaginationConfig={"PageSize": 7})
    ]
    ids = [each["inferenceProfileId"] for page in pages for each in page]
    assert {len(page) for page in pages[:-1]} == {7}
    assert len(ids) == len(set(ids)) > 7
    assert {f"us.{SONNET}", f"global.{SONNET}", "a1b2c3d4e5f6"} <= set(ids)
    assert f"eu.{SONNET}" not in ids


async def test_system_profiles_are_the_catalogs_routings(simulator: Start, boto: Open) -> None:
    client = await boto("bedrock", await simulator(), region_name="eu-central-1")
    listed = (await client.list_inference_profiles(typeEquals="SYSTEM_DEFINED"))["inferenceProfileSummaries"]
    expected = {
        model_id(model.base_id, routing)
        for model in known_models()
        for routing, fact in model.routings.items()
        if routing != IN_REGION and "eu-central-1" in fact.value
    }
    assert expected <= {each["inferenceProfileId"] for each in listed}


async def test_an_application_profile_names_the_model_behind_it(simulator: Start, boto: Open) -> None:
    url = await simulator(speed=1000)
    client = await boto("bedrock", url)
    (first, _) = (await client.list_inference_profiles(typeEquals="APPLICATION"))["inferenceProfileSummaries"]
    profile = await client.get_inference_profile(inferenceProfileIdentifier=first["inferenceProfileArn"])
    assert profile["type"] == "APPLICATION"
    assert {each["modelArn"].rpartition("/")[2] for each in profile["models"]} == {SONNET}
    runtime = await boto("bedrock-runtime", url)
    answer = await runtime.converse(
        modelId=profile["inferenceProfileArn"], messages=[{"role": "user", "content": [{"text": "Hi"}]}]
    )
    assert answer["output"]["message"]["content"][0]["text"]


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("get_inference_profile", {"inferenceProfileIdentifier": f"xx.{SONNET}"}),
        ("get_foundation_model", {"modelIdentifier": "anthropic.claude-sonata-9"}),
    ],
)
async def test_unknown_names_are_not_found(
    simulator: Start, boto: Open, operation: str, arguments: dict[str, str]
) -> None:
    client = await boto("bedrock", await simulator())
    with pytest.raises(ClientError) as refused:
        await getattr(client, operation)(**arguments)
    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"


async def test_a_denied_model_is_listed_but_not_callable(simulator: Start, boto: Open) -> None:
    url = await simulator(denied=frozenset({HAIKU}), speed=1000)
    client = await boto("bedrock", url)
    granted = {}
    for base_id in (HAIKU, SONNET):
        granted[base_id] = (await client.get_foundation_model_availability(modelId=base_id))["authorizationStatus"]
    assert {HAIKU: "NOT_AUTHORIZED", SONNET: "AUTHORIZED"} == granted
    runtime = await boto("bedrock-runtime", url)
    messages = [{"role": "user", "content": [{"text": "Hi"}]}]
    with pytest.raises(ClientError, match="don't have access") as refused:
        await runtime.converse(modelId=f"us.{HAIKU}", messages=messages)
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert await runtime.converse(modelId=f"us.{SONNET}", messages=messages)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("none", None),
        ("s3://logs", {"s3Config": {"bucketName": "logs"}}),
        ("s3://logs/bedrock/prod", {"s3Config": {"bucketName": "logs", "keyPrefix": "bedrock/prod"}}),
        (
            "logs:/aws/bedrock",
            {
                "cloudWatchConfig": {
                    "logGroupName": "/aws/bedrock",
                    "roleArn": "arn:aws:iam::123456789012:role/bedrock-log",
                }
            },
        ),
    ],
)
async def test_the_logging_destination_is_the_configured_one(
    simulator: Start, boto: Open, written: str, expected: dict[str, Any] | None
) -> None:
    client = await boto("bedrock", await simulator(logging=written))
    config = (await client.get_model_invocation_logging_configuration()).get("loggingConfig")
    if config is not None:
        assert config.pop("textDataDeliveryEnabled") is True
    assert expected == (config and {name: config[name] for name in config if name.endswith("Config")})


async def test_sts_names_the_simulated_account(simulator: Start, boto: Open) -> None:
    caller = await (await boto("sts", await simulator())).get_caller_identity()
    assert (caller["Account"], caller["Arn"]) == ("123456789012", "arn:aws:iam::123456789012:user/simulated")


@pytest.mark.parametrize("operation", ["list_service_quotas", "list_aws_default_service_quotas"])
async def test_quotas_have_their_aws_names_and_are_paged(simulator: Start, boto: Open, operation: str) -> None:
    client = await boto("service-quotas", await simulator())
    pages = client.get_paginator(operation).paginate(ServiceCode="bedrock", PaginationConfig={"PageSize": 10})
    names = [quota["QuotaName"] async for page in pages for quota in page["Quotas"]]
    assert len(names) == len(set(names)) > 10
    assert {
        "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1",
        "Global cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1",
        "Model invocation max tokens per day for Anthropic Claude Sonnet 4.5 V1",
        "Bedrock Mantle input tokens per minute for Anthropic Claude Sonnet 4.6",
    } <= set(names)


async def test_another_services_quotas_are_unknown(simulator: Start, boto: Open) -> None:
    client = await boto("service-quotas", await simulator())
    with pytest.raises(client.exceptions.NoSuchResourceException):
        await client.list_service_quotas(ServiceCode="ec2")


async def test_a_made_up_page_token_is_refused(simulator: Start, boto: Open) -> None:
    client = await boto("bedrock", await simulator())
    with pytest.raises(ClientError, match="pagination token"):
        await client.list_inference_profiles(nextToken="bogus")


async def test_tokens_are_counted_alike_in_both_dialects(simulator: Start, boto: Open) -> None:
    client = await boto("bedrock-runtime", await simulator())
    body = json.dumps({"anthropic_version": "x", "max_tokens": 1, "messages": [{"role": "user", "content": "x" * 40}]})
    converse = {"messages": [{"role": "user", "content": [{"text": "x" * 40}]}]}
    for given in ({"invokeModel": {"body": body}}, {"converse": converse}):
        assert (await client.count_tokens(modelId=HAIKU, input=given))["inputTokens"] == 10


async def test_only_model_calls_are_recorded_in_the_truth(simulator: Start, boto: Open) -> None:
    url = await simulator()
    await (await boto("sts", url)).get_caller_identity()
    await (await boto("bedrock", url)).list_foundation_models()
    async with aiohttp.ClientSession() as session, session.get(f"{url}/_simulator/truth") as response:
        assert await response.json() == {"requests": []}


async def test_logs_never_expire(simulator: Start, boto: Open) -> None:
    url = await simulator()
    with pytest.raises(ClientError) as refused:
        await (await boto("s3", url)).get_bucket_lifecycle_configuration(Bucket="logs")
    assert refused.value.response["Error"]["Code"] == "NoSuchLifecycleConfiguration"
    groups = (await (await boto("logs", url)).describe_log_groups(logGroupNamePrefix="/aws/x"))["logGroups"]
    assert [("/aws/x", None)] == [(each["logGroupName"], each.get("retentionInDays")) for each in groups]


def test_the_catalog_still_has_the_models_that_these_tests_name() -> None:
    assert [find_model(base_id).base_id for base_id in (SONNET, HAIKU, OPUS_3)] == [SONNET, HAIKU, OPUS_3]
