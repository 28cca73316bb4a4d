from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from msgspec import structs

from harness.catalog.target import Options, Target, resolve_target
from harness.endpoints.account.account import open_account
from harness.endpoints.account.errors import BadCredentials
from harness.load.preflight.checks import examine
from harness.load.preflight.facts import Diagnosis, has_no_problem
from harness.suite.suite import Graders, Judge, Load, Message, Prompt, Suite

SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
CALLER = """<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:sts::111122223333:assumed-role/r/me</Arn>
<UserId>u</UserId><Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"""
GRANTED = {
    "agreementAvailability": {"status": "AVAILABLE"},
    "authorizationStatus": "AUTHORIZED",
    "entitlementAvailability": "AVAILABLE",
    "regionAvailability": "AVAILABLE",
}
GLOBAL = f"global.{HAIKU}"
QUOTA = "Global cross-region model inference tokens per minute for Anthropic Claude Haiku 4.5"


def model(base_id: str, *types: str, status: str = "ACTIVE") -> dict[str, Any]:
    return {"modelArn": f"arn:aws:bedrock:us-east-1::foundation-model/{base_id}", "modelId": base_id,
            "inferenceTypesSupported": types, "modelLifecycle": {"status": status}}  # fmt: skip


def profile(name: str, base_id: str, *regions: str, status: str = "ACTIVE") -> dict[str, Any]:
    arns = [f"arn:aws:bedrock:{region}::foundation-model/{base_id}" for region in regions]
    return {"inferenceProfileId": name, "inferenceProfileName": name, "status": status, "type": "SYSTEM_DEFINED",
            "inferenceProfileArn": f"arn:aws:bedrock:us-east-1:111122223333:inference-profile/{name}",
            "models": [{"modelArn": arn} for arn in arns]}  # fmt: skip


def quota(name: str, value: float) -> dict[str, Any]:
    return {"QuotaCode": name, "QuotaName": name, "Value": value}


class Aws:
    """An account on loopback, all well; what a test takes out of `answers` is not permitted."""

    def __init__(self) -> None:
        self.url = ""
        self.paths: list[str] = []
        self.answers: dict[str, Any] = {
            "POST /": CALLER,
            "GET /foundation-models": {"modelSummaries": [model(HAIKU, "INFERENCE_PROFILE")]},
            "GET /inference-profiles": {"inferenceProfileSummaries": [profile(GLOBAL, HAIKU, "", "us-east-1")]},
            "GET /foundation-model-availability": GRANTED,
            "GET /logging": {"loggingConfig": {"s3Config": {"bucketName": "logs"}}},
            "GET /logs": "<LifecycleConfiguration></LifecycleConfiguration>",
            "ListServiceQuotas": {"Quotas": [quota(QUOTA, 1_000_000)]},
            "ListAWSDefaultServiceQuotas": {"Quotas": []},
        }

    async def answer(self, request: web.Request) -> web.Response:
        target = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        name = target or f"{request.method} /{request.path.split('/')[1]}"
        self.paths.append(name)
        if name not in self.answers:
            headers = {"x-amzn-ErrorType": "AccessDeniedException"}
            return web.json_response({"message": "not you"}, status=403, headers=headers)
        found = self.answers[name]
        if callable(found):
            return found()
        if isinstance(found, str):
            return web.Response(text=found, content_type="text/xml")
        return web.json_response({"inferenceProfileSummaries": []} if request.query_string.endswith("TION") else found)


@pytest.fixture
async def aws() -> AsyncIterator[Aws]:
    account = Aws()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", account.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    account.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield account
    await runner.cleanup()


def target(name: str = "claude-haiku-4-5", routing: str = "global", api: Any = "invoke") -> Target:
    return resolve_target(model=name, routing=routing, api=api, client="aioboto3", region="us-east-1",
                          options=Options(max_tokens=1000))  # fmt: skip


def suite(*targets: Target, rate_per_s: float = 1) -> Suite:
    prompt = Prompt(id="p", messages=(Message(role="user", content="word" * 1000),))
    load = Load(arrival="constant", rate_per_s=rate_per_s, duration_s=600)
    return Suite(name="s", digest="", endpoint="aws", targets=targets or (target(),), prompts=(prompt,), load=load)


async def examined(aws: Aws, asked: Suite | None = None) -> list[Diagnosis]:
    return await examine(asked or suite(), lambda region: open_account(aws.url, region=region))


async def the(check: str, aws: Aws, asked: Suite | None = None) -> Diagnosis:
    return next(each for each in await examined(aws, asked) if each.check == check)


async def test_a_suite_that_can_run_is_found_fit_and_nothing_is_spent(aws: Aws) -> None:
    found = await examined(aws)
    name = target().name
    assert [
        (None, "identity"),
        (None, "logging"),
        *((name, check) for check in ("offered", "route", "access", "lifecycle", "quota")),
    ] == [(each.target, each.check) for each in found]
    assert {"ok"} == {each.status for each in found}
    assert not any(path.startswith("POST /model") for path in aws.paths)
    assert has_no_problem(found)


async def test_identity_names_the_role_session_and_the_source(aws: Aws) -> None:
    message = (await the("identity", aws)).message
    assert "arn:aws:sts::111122223333:assumed-role/r/me in account 111122223333; credentials: made up" in message


async def test_what_may_not_be_asked_is_unknown_with_the_permission_to_add_and_does_not_stop_a_run(aws: Aws) -> None:
    aws.answers = {"POST /": CALLER}
    found = {each.check: each for each in await examined(aws)}
    unknown = {check: each.remedy for check, each in found.items() if each.status == "unknown"}
    allow = "allow {} for these credentials".format
    assert {
        "logging": allow("bedrock:GetModelInvocationLoggingConfiguration"),
        "offered": allow("bedrock:ListFoundationModels"),
        "route": allow("bedrock:ListInferenceProfiles"),
        "access": allow("bedrock:GetFoundationModelAvailability"),
        "quota": allow("servicequotas:ListServiceQuotas"),
    } == unknown
    assert has_no_problem(list(found.values()))


def expired() -> web.Response:
    said = {"message": "The security token included in the request is expired"}
    return web.json_response(said, status=403, headers={"x-amzn-ErrorType": "ExpiredTokenException"})


@pytest.mark.parametrize("asked", ["GET /foundation-models", "POST /"])
async def test_credentials_that_are_refused_end_the_examination(aws: Aws, asked: str) -> None:
    refused = "<ErrorResponse><Error><Code>ExpiredToken</Code><Message>m</Message></Error></ErrorResponse>"
    aws.answers[asked] = lambda: web.Response(status=403, text=refused) if asked == "POST /" else expired()
    with pytest.raises(BadCredentials, match="have expired"):
        await examined(aws)


async def test_a_model_that_the_region_does_not_list_is_a_problem(aws: Aws) -> None:
    aws.answers["GET /foundation-models"] = {"modelSummaries": []}
    found = await the("offered", aws)
    assert ("ok", f"{HAIKU} is offered in us-east-1 through {GLOBAL}") == (found.status, found.message)
    aws.answers["GET /inference-profiles"] = {"inferenceProfileSummaries": []}
    found = await the("offered", aws)
    assert ("problem", f"{HAIKU} is not offered in us-east-1") == (found.status, found.message)


async def test_a_judge_is_looked_at_like_a_target(aws: Aws) -> None:
    """It answers only when the load is over and paid for."""
    judge = Judge(name="strict", target=structs.replace(target("claude-sonnet-4-5"), name="strict"))
    found = await examined(aws, structs.replace(suite(), graders=Graders(judges=(judge,))))
    assert ["offered", "route", "access", "lifecycle"] == [each.check for each in found if each.target == "strict"]
    assert not has_no_problem(found)
    assert {"strict"} == {each.target for each in found if each.status == "problem"}


async def test_a_profile_is_reported_with_the_regions_that_serve_it(aws: Aws) -> None:
    assert f"profile {GLOBAL}, served in any Region" == (await the("route", aws)).message
    listed = aws.answers["GET /inference-profiles"]["inferenceProfileSummaries"]
    listed.append(profile(f"us.{HAIKU}", HAIKU, "us-west-2", "us-east-1"))
    found = await the("route", aws, suite(target(routing="us")))
    assert f"profile us.{HAIKU}, served in us-east-1, us-west-2" == found.message


async def test_a_profile_that_is_not_there_is_a_problem_and_the_others_are_named(aws: Aws) -> None:
    found = await the("route", aws, suite(target(routing="us")))
    assert ("problem", f"active there: {GLOBAL}") == (found.status, found.remedy)


async def test_a_bare_id_needs_a_model_that_is_served_on_demand(aws: Aws) -> None:
    asked = suite(structs.replace(target(), routing="in-region", model_id=HAIKU))
    found = await the("route", aws, asked)
    assert ("problem", f"use a profile: {GLOBAL}") == (found.status, found.remedy)
    aws.answers["GET /foundation-models"] = {"modelSummaries": [model(HAIKU, "ON_DEMAND", "INFERENCE_PROFILE")]}
    assert "ok" == (await the("route", aws, asked)).status


async def test_access_that_was_not_granted_is_a_problem_that_says_what_is_missing(aws: Aws) -> None:
    aws.answers["GET /foundation-model-availability"] = {**GRANTED, "agreementAvailability": {"status": "PENDING"}}
    found = await the("access", aws)
    assert "problem" == found.status
    assert "agreement PENDING" in found.message
    assert "Model access" in (found.remedy or "")


async def test_a_model_that_counts_tokens_for_the_account_is_taken_to_answer(aws: Aws) -> None:
    del aws.answers["GET /foundation-model-availability"]
    aws.answers["POST /model"] = {"inputTokens": 8}
    assert "ok" == (await the("access", aws)).status


async def test_a_legacy_model_warns_with_its_dates(aws: Aws) -> None:
    found = await the("lifecycle", aws, suite(target("claude-sonnet-4-5")))
    assert "warning" == found.status
    assert "legacy since 2026-10-08" in found.message
    aws.answers["GET /foundation-models"] = {"modelSummaries": [model(HAIKU, "INFERENCE_PROFILE", status="LEGACY")]}
    found = await the("lifecycle", aws)
    assert ("warning", True) == (found.status, "claude-haiku-4-5 is legacy (live account in us-east-1" in found.message)


async def test_the_load_is_held_against_the_quota(aws: Aws) -> None:
    found = await the("quota", aws)
    assert "reserves 120,000 tokens/min and is charged at most 360,000, of 1,000,000" in found.message
    found = await the("quota", aws, suite(rate_per_s=10))
    assert "warning" == found.status
    assert "quota: {tokens_per_minute: 1000000}" in (found.remedy or "")


async def test_targets_that_share_a_quota_are_added_up(aws: Aws) -> None:
    found = await the("quota", aws, suite(target(), target(api="converse")))
    assert "reserves 240,000 tokens/min" in found.message
    assert "2 targets share it" in found.message


@pytest.mark.parametrize("name", [QUOTA, "Model invocation max tokens per day for Anthropic Claude Haiku 4.5"])
async def test_a_quota_of_zero_is_a_problem(aws: Aws, name: str) -> None:
    aws.answers["ListServiceQuotas"] = {"Quotas": [quota(name, 0)]}
    found = await the("quota", aws)
    assert ("problem", True) == (found.status, f"{name!r} is 0" in found.message)


async def test_a_quota_that_nobody_named_is_unknown(aws: Aws) -> None:
    aws.answers["ListServiceQuotas"] = {"Quotas": []}
    assert "unknown" == (await the("quota", aws)).status


def kept(days: int) -> str:
    rule = f"<Rule><Status>Enabled</Status><Filter/><Expiration><Days>{days}</Days></Expiration></Rule>"
    return f"<LifecycleConfiguration>{rule}</LifecycleConfiguration>"


@pytest.mark.parametrize(
    ("logging", "lifecycle", "status", "message"),
    [
        ({}, None, "warning", "invocation logging is off in us-east-1"),
        ({"s3Config": {"bucketName": "logs", "keyPrefix": "b"}}, kept(29), "warning", "s3://logs/b, kept for 29 days"),
        ({"s3Config": {"bucketName": "logs"}}, kept(30), "ok", "s3://logs/, kept for 30 days"),
        ({"s3Config": {"bucketName": "logs"}}, "<LifecycleConfiguration/>", "ok", "kept forever"),
        ({"cloudWatchConfig": {"logGroupName": "g", "roleArn": "r"}}, None, "unknown", "not permitted: logs:Describe"),
        ({"s3Config": {"bucketName": "logs"}, "textDataDeliveryEnabled": False}, kept(30), "ok", "without prompts"),
    ],
)
async def test_logging_should_be_on_and_kept_for_thirty_days(
    aws: Aws, logging: dict[str, Any], lifecycle: str | None, status: str, message: str
) -> None:
    aws.answers["GET /logging"] = {"loggingConfig": logging}
    aws.answers["GET /logs"] = lifecycle or ""
    found = await the("logging", aws)
    assert status == found.status
    assert message in found.message
