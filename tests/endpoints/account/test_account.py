from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import boto3
import pytest
from aiohttp import web
from moto.server import ThreadedMotoServer

from harness.endpoints.account.account import MADE_UP, configured_region, open_account
from harness.endpoints.account.errors import AccountError, BadCredentials, NotPermitted
from harness.endpoints.base import MADE_UP_KEY_ID
from harness.errors import EndpointError

REGION = "us-east-1"
ROLE = "arn:aws:iam::123456789012:role/evaluation"
CANARIES = {
    "AWS_BEARER_TOKEN_BEDROCK": "CANARY-bearer",
    "AWS_ACCESS_KEY_ID": "CANARY-id",
    "AWS_SECRET_ACCESS_KEY": "CANARY-secret",
    "AWS_SESSION_TOKEN": "CANARY-session",
}


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of AWS in the environment, and its two files in the test's own folder, not yet there."""
    for name in (*CANARIES, "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The URL of moto's server: STS, S3, CloudWatch Logs and Bedrock's logging configuration."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    urlopen(f"http://{host}:{port}/moto-api/reset", data=b"").close()
    yield f"http://{host}:{port}"
    server.stop()


def refusal(name: str, code: str, message: str) -> web.Response:
    """A 403 in the service's own protocol: XML for STS and S3, JSON for the others."""
    if name == "POST /" or name.endswith("?lifecycle"):
        error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        page = f"<ErrorResponse>{error}</ErrorResponse>" if name == "POST /" else error
        return web.Response(status=403, text=page, content_type="text/xml")
    headers = {"x-amzn-ErrorType": f"{code}:http://internal.amazon.com/"}
    return web.json_response({"message": message}, status=403, headers=headers)


class Scripted:
    """AWS as a dictionary: `GET /path?query`, or the operation's name, to the answer. All else is not permitted."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: dict[str, Any] = {}
        self.heads: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.heads.append(f"{request.method} {request.raw_path} {dict(request.headers)} {body!r}")
        name = request.headers.get("X-Amz-Target", "").rpartition(".")[2] or f"{request.method} {request.path_qs}"
        if name not in self.answers:
            return refusal(name, "AccessDeniedException", "it is not you who may")
        found = self.answers[name]
        return found() if callable(found) else web.json_response(found)


@pytest.fixture
async def aws() -> AsyncIterator[Scripted]:
    scripted = Scripted()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", scripted.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    scripted.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield scripted
    await runner.cleanup()


def write_files(folder: Path, *, config: str = "", credentials: str = "") -> None:
    (folder / "config").write_text(config)
    (folder / "credentials").write_text(credentials)


async def identity_of(profile: str | None = None) -> Any:
    with pytest.MonkeyPatch.context() as environment:
        if profile is not None:
            environment.setenv("AWS_PROFILE", profile)
        async with open_account("aws", region=REGION) as account:
            return await account.identity()


async def test_loopback_is_asked_with_made_up_credentials_whatever_the_environment_holds(
    aws: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in CANARIES.items():
        monkeypatch.setenv(name, value)
    for name in ("HTTP_PROXY", "http_proxy", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with open_account(aws.url, region=REGION) as account:
        for ask in (account.identity, account.foundation_models, account.quotas, account.logging):
            with pytest.raises(NotPermitted):
                await ask()
    assert 4 == len(aws.heads)
    assert all(f"Credential={MADE_UP_KEY_ID}/" in head and "CANARY" not in head for head in aws.heads)


async def test_identity_tells_account_arn_and_made_up_credentials(moto: str) -> None:
    async with open_account(moto, region=REGION) as account:
        identity = await account.identity()
    assert ("123456789012", MADE_UP) == (identity.account, identity.source)
    assert identity.arn.startswith("arn:aws:sts::123456789012:")


def stand_in_for_aws(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Have `aws` answered from loopback, which a user cannot: credentials of every source are needed, and no AWS is."""
    for module in ("aws", "credentials"):
        monkeypatch.setattr(f"harness.endpoints.{module}.IGNORE_CONFIGURED_URLS", False)
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false")
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)


async def test_aws_is_aws_whatever_the_environment_says_of_other_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_BEDROCK"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    async with open_account("aws", region=REGION) as account:
        urls = [
            (await account._aws.client(service)).meta.endpoint_url for service in ("sts", "bedrock", "service-quotas")
        ]
    assert all(url.startswith("https://") and url.endswith(".amazonaws.com") for url in urls)


async def test_credentials_of_the_environment_are_said_to_be_so(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in_for_aws(monkeypatch, moto)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    assert "env" == (await identity_of()).source
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "a-token")
    assert "bearer key (AWS_BEARER_TOKEN_BEDROCK) for Bedrock; for the rest env" == (await identity_of()).source


KEYS = "aws_access_key_id = an-id\naws_secret_access_key = CANARY-secret\n"


@pytest.mark.parametrize(
    ("config", "credentials", "profile", "source"),
    [
        ("", f"[work]\n{KEYS}", "work", "shared-credentials-file, profile 'work'"),
        ("", f"[default]\n{KEYS}", None, "shared-credentials-file, profile 'default'"),
        (f"[profile work]\n{KEYS}", "", "work", "config-file, profile 'work'"),
        (f"[profile work]\nrole_arn = {ROLE}\nsource_profile = base\nrole_session_name = monday\n", f"[base]\n{KEYS}",
         "work", "assume-role, profile 'work'"),
    ],
)  # fmt: skip
async def test_credentials_of_a_file_are_reported_with_their_profile(
    moto: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, config: str, credentials: str, profile: str, source: str
) -> None:
    stand_in_for_aws(monkeypatch, moto)
    write_files(tmp_path, config=config, credentials=credentials)
    identity = await identity_of(profile)
    assert source == identity.source
    assert "assume-role" not in source or identity.arn.endswith("assumed-role/evaluation/monday")
    assert "CANARY" not in str(identity)


async def test_a_credential_process_is_a_source_like_any_other(
    moto: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stand_in_for_aws(monkeypatch, moto)
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"Version": 1, "AccessKeyId": "an-id", "SecretAccessKey": "a-secret"}))
    write_files(tmp_path, config=f"[profile work]\ncredential_process = cat {keys}\n")
    assert "custom-process, profile 'work'" == (await identity_of("work")).source


async def test_a_bearer_key_alone_says_nothing_of_its_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "CANARY-bearer")
    identity = await identity_of()
    assert (None, None, "bearer key (AWS_BEARER_TOKEN_BEDROCK)") == (identity.account, identity.arn, identity.source)


@pytest.mark.parametrize(
    ("config", "profile", "told"),
    [
        ("", None, "no AWS credentials were found; set AWS_PROFILE"),
        ("", "wrok", "there is no AWS profile 'wrok'"),
        ("[profile p]\naws_access_key_id = CANARY-id\n", "p", "missing: aws_secret_access_key"),
        ("[profile p]\nCANARY-secret\n", "p", "Unable to parse config file"),
        ("[profile p]\ncredential_process = sh -c 'echo CANARY-secret >&2; exit 1'\n", "p", "custom-process gave no"),
        ("[profile p]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n"
         "[sso-session s]\nsso_region = us-east-1\nsso_start_url = https://x/\n", "p", "sign in again"),
        (f"[profile p]\nrole_arn = {ROLE}\nsource_profile = nobody\n", "p", "nobody"),
    ],
)  # fmt: skip
async def test_credentials_that_cannot_be_had_are_reported_with_a_remedy_and_without_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str, profile: str | None, told: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_files(tmp_path, config=config)
    with pytest.raises(BadCredentials) as raised:
        await identity_of(profile)
    assert told in str(raised.value)
    assert "CANARY" not in str(raised.value)
    assert raised.value.__suppress_context__, "a traceback would show the SDK's own words"


@pytest.mark.parametrize(
    ("code", "message", "told"),
    [
        ("ExpiredToken", "The security token included in the request is expired", "have expired"),
        ("InvalidClientTokenId", "The security token included in the request is invalid.", "AWS refuses"),
        ("SignatureDoesNotMatch", "x-amz-security-token:CANARY-session", "AWS refuses"),
    ],
)
async def test_credentials_that_aws_refuses_are_reported_as_such(
    aws: Scripted, code: str, message: str, told: str
) -> None:
    aws.answers["POST /"] = lambda: refusal("POST /", code, message)
    async with open_account(aws.url, region=REGION) as account:
        with pytest.raises(BadCredentials, match=told) as raised:
            await account.identity()
    assert "CANARY" not in str(raised.value)


async def test_a_role_that_may_not_be_assumed_is_a_matter_of_credentials(
    aws: Scripted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stand_in_for_aws(monkeypatch, aws.url)
    write_files(tmp_path, config=f"[profile p]\nrole_arn = {ROLE}\nsource_profile = b\n[profile b]\n{KEYS}")
    with pytest.raises(BadCredentials, match="AssumeRole"):
        await identity_of("p")


async def test_an_expired_bearer_key_is_not_a_missing_permission(aws: Scripted) -> None:
    models = "GET /foundation-models?byProvider=Anthropic"
    aws.answers[models] = lambda: refusal(models, "AccessDeniedException", "Bearer Token has expired")
    async with open_account(aws.url, region=REGION) as account:
        with pytest.raises(BadCredentials, match=r"AWS refuses the credentials .* has expired"):
            await account.foundation_models()


@pytest.mark.parametrize(
    ("method", "arguments", "action"),
    [
        ("identity", (), "sts:GetCallerIdentity"),
        ("foundation_models", (), "bedrock:ListFoundationModels"),
        ("inference_profiles", (), "bedrock:ListInferenceProfiles"),
        ("availability", ("m",), "bedrock:GetFoundationModelAvailability"),
        ("count_tokens", ("m", {}), "bedrock:CountTokens"),
        ("logging", (), "bedrock:GetModelInvocationLoggingConfiguration"),
        ("quotas", (), "servicequotas:ListServiceQuotas"),
    ],
)
async def test_what_is_not_permitted_names_the_iam_action_to_ask_for(
    aws: Scripted, method: str, arguments: tuple[Any, ...], action: str
) -> None:
    async with open_account(aws.url, region=REGION) as account:
        with pytest.raises(NotPermitted, match=f"^not permitted: {action} ") as raised:
            await getattr(account, method)(*arguments)
    assert action == raised.value.action


async def test_an_address_where_nobody_answers_is_reported() -> None:
    async with open_account("http://127.0.0.1:1", region=REGION) as account:
        with pytest.raises(AccountError, match="sts in us-east-1 is not available: Could not connect"):
            await account.identity()


async def test_a_page_that_no_aws_service_wrote_is_reported_as_such(aws: Scripted) -> None:
    def page() -> web.Response:
        return web.Response(status=403, text="<html>CANARY of a proxy</html", content_type="text/html")

    aws.answers = {"POST /": page, "GET /foundation-model-availability/m": page}
    async with open_account(aws.url, region=REGION) as account:
        with pytest.raises(AccountError, match="sts in us-east-1 is not available: its answer is not from an AWS"):
            await account.identity()
        with pytest.raises(AccountError, match="HTTP 403 without a message"):
            await account.availability("m")


async def test_a_region_that_does_not_exist_is_reported_with_the_nearest_ones() -> None:
    with pytest.raises(EndpointError, match=r"unknown Region 'us-eest-1'; did you mean .*us-east-1"):
        async with open_account("aws", region="us-eest-1"):
            pass


def test_the_region_is_that_of_the_environment_then_that_of_the_profile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert configured_region() is None
    write_files(tmp_path, config="[default]\nregion = eu-west-3\n")
    assert "eu-west-3" == configured_region()
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-2")
    assert "eu-west-2" == configured_region()
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert "eu-west-1" == configured_region()


def profile_named(name: str) -> dict[str, Any]:
    return {"inferenceProfileId": name, "inferenceProfileName": name, "inferenceProfileArn": f"arn:{name}",
            "models": [], "status": "ACTIVE", "type": "SYSTEM_DEFINED"}  # fmt: skip


async def test_profiles_of_both_kinds_are_read_to_the_last_page(aws: Scripted) -> None:
    first, second, own = (profile_named(name) for name in ("us.a", "us.b", "mine"))
    aws.answers = {
        "GET /inference-profiles?type=SYSTEM_DEFINED": {"inferenceProfileSummaries": [first], "nextToken": "two"},
        "GET /inference-profiles?type=SYSTEM_DEFINED&nextToken=two": {"inferenceProfileSummaries": [second]},
        "GET /inference-profiles?type=APPLICATION": {"inferenceProfileSummaries": [own]},
    }
    async with open_account(aws.url, region=REGION) as account:
        found = await account.inference_profiles()
    assert ["us.a", "us.b", "mine"] == [each["inferenceProfileId"] for each in found]


def quota(code: str, value: float) -> dict[str, Any]:
    return {"QuotaCode": code, "QuotaName": f"quota {code}", "Value": value}


async def test_quotas_are_the_applied_ones_beside_the_defaults(aws: Scripted) -> None:
    aws.answers["ListServiceQuotas"] = {"Quotas": [quota("a", 5)]}
    async with open_account(aws.url, region=REGION) as account:
        assert [("quota a", 5, None)] == [(each.name, each.value, each.default) for each in await account.quotas()]
        aws.answers["ListAWSDefaultServiceQuotas"] = {"Quotas": [quota("a", 9), quota("b", 7)]}
        found = {each.name: (each.value, each.default) for each in await account.quotas()}
    assert {"quota a": (5, 9), "quota b": (7, 7)} == found


async def test_tokens_are_counted_of_an_invoke_body(aws: Scripted) -> None:
    aws.answers["POST /model/m/count-tokens"] = {"inputTokens": 11}
    async with open_account(aws.url, region=REGION) as account:
        assert 11 == await account.count_tokens("m", {"max_tokens": 1})


LIFECYCLE = [
    {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "bedrock/"}, "Expiration": {"Days": 90}},
    {"ID": "off", "Status": "Disabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}},
    {"ID": "other", "Status": "Enabled", "Filter": {"Prefix": "other/"}, "Expiration": {"Days": 2}},
    {"ID": "tagged", "Status": "Enabled", "Filter": {"Tag": {"Key": "k", "Value": "v"}}, "Expiration": {"Days": 3}},
]


async def test_logging_tells_where_the_log_goes_and_how_long_it_is_kept(moto: str) -> None:
    def client(service: str) -> Any:
        return boto3.client(
            service, endpoint_url=moto, region_name=REGION, aws_access_key_id="i", aws_secret_access_key="s"
        )

    async with open_account(moto, region=REGION) as account:
        assert await account.logging() is None
        client("s3").create_bucket(Bucket="logs")
        client("logs").create_log_group(logGroupName="/bedrock")
        client("bedrock").put_model_invocation_logging_configuration(
            loggingConfig={
                "s3Config": {"bucketName": "logs", "keyPrefix": "bedrock/today"},
                "cloudWatchConfig": {"logGroupName": "/bedrock", "roleArn": ROLE},
                "textDataDeliveryEnabled": True,
            }
        )
        config = await account.logging()
        assert config is not None
        assert ("logs", "bedrock/today", "/bedrock", True) == (
            config.bucket, config.prefix, config.log_group, config.text
        )  # fmt: skip
        assert [(None, None)] * 2 == [
            (kept.days, kept.error) for kept in (config.bucket_retention, config.log_group_retention)
        ]  # type: ignore[union-attr]
        client("s3").put_bucket_lifecycle_configuration(Bucket="logs", LifecycleConfiguration={"Rules": LIFECYCLE})
        client("logs").put_retention_policy(logGroupName="/bedrock", retentionInDays=14)
        config = await account.logging()
        assert config is not None
        assert [90, 14] == [kept.days for kept in (config.bucket_retention, config.log_group_retention)]  # type: ignore[union-attr]


async def test_a_log_whose_retention_may_not_be_read_is_still_told(aws: Scripted) -> None:
    aws.answers["GET /logging/modelinvocations"] = {
        "loggingConfig": {
            "s3Config": {"bucketName": "logs"},
            "cloudWatchConfig": {"logGroupName": "/bedrock", "roleArn": ROLE},
        }
    }
    async with open_account(aws.url, region=REGION) as account:
        config = await account.logging()
    assert config is not None
    assert config.bucket_retention is not None
    assert config.log_group_retention is not None
    assert "not permitted: s3:GetLifecycleConfiguration" in (config.bucket_retention.error or "")
    assert "not permitted: logs:DescribeLogGroups" in (config.log_group_retention.error or "")
