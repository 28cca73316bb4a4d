"""Reads an AWS account's identity, models, quotas and logging. The calls are free."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from difflib import get_close_matches
from typing import Any

import aioboto3
import msgspec

from harness.catalog.models import all_regions
from harness.endpoints.account.errors import AccountError, reading_errors
from harness.endpoints.address import make_connection
from harness.endpoints.aws import AwsServices
from harness.endpoints.credentials import BEARER_VARIABLE

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 15.0
ATTEMPTS = 2
MADE_UP = "made up, for loopback"


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """The caller."""

    account: str | None
    """None: a bearer key does not name its owner."""
    arn: str | None
    source: str
    """How the credentials were found: `env`, `shared-credentials-file, profile 'work'`, `sso`, `iam-role`, …"""


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How long a log is kept."""

    days: int | None = None
    """None: it does not expire, or is unknown if `error` is set."""
    error: str | None = None
    """Why it could not be read."""


class LoggingConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The destinations of Bedrock's invocation log. None: not configured."""

    bucket: str | None = None
    prefix: str = ""
    bucket_retention: Retention | None = None
    log_group: str | None = None
    log_group_retention: Retention | None = None
    text: bool
    """Whether prompts and answers are logged, or only metadata."""


class QuotaValue(msgspec.Struct, frozen=True, kw_only=True):
    """A quota of the service `bedrock`, as applied to this account in this Region."""

    name: str
    value: float
    default: float | None
    """AWS's default; None: it could not be read."""


class Account:
    """An account in one Region. Every method may raise AccountError, or NotPermitted with the IAM action.

    Nothing is sent until the first call.
    """

    def __init__(self, aws: AwsServices) -> None:
        self._aws = aws

    @property
    def region(self) -> str:
        return self._aws.connection.region

    async def identity(self) -> Identity:
        """The caller from STS, and the source of the credentials. BadCredentials: missing, expired or refused."""
        bearer = not self._aws.connection.made_up_credentials and bool(os.environ.get(BEARER_VARIABLE))
        source = await self._source()
        if source is None and bearer:
            return Identity(account=None, arn=None, source=f"bearer key ({BEARER_VARIABLE})")
        caller = await self._call("sts", "get_caller_identity")
        both = f"bearer key ({BEARER_VARIABLE}) for Bedrock; for the rest {source}" if bearer else source
        return Identity(account=caller["Account"], arn=caller["Arn"], source=both or "unknown")

    async def foundation_models(self) -> list[dict[str, Any]]:
        """Anthropic's `modelSummaries` of ListFoundationModels."""
        answer = await self._call("bedrock", "list_foundation_models", byProvider="Anthropic")
        return list(answer["modelSummaries"])

    async def inference_profiles(self) -> list[dict[str, Any]]:
        """`inferenceProfileSummaries`: AWS's own, then the account's application profiles."""
        kinds = ("SYSTEM_DEFINED", "APPLICATION")
        pages = [await self._pages("bedrock", "list_inference_profiles", typeEquals=kind) for kind in kinds]
        return [each for kind in pages for page in kind for each in page["inferenceProfileSummaries"]]

    async def availability(self, base_model: str) -> dict[str, Any]:
        """GetFoundationModelAvailability: the status of agreement, authorisation, entitlement and Region."""
        return await self._call("bedrock", "get_foundation_model_availability", modelId=base_model)

    async def count_tokens(self, base_model: str, body: Mapping[str, Any]) -> int:
        """The input tokens of an InvokeModel body, by the service's tokenizer (CountTokens)."""
        request = {"invokeModel": {"body": msgspec.json.encode(body)}}
        answer = await self._call("bedrock-runtime", "count_tokens", modelId=base_model, input=request)
        return int(answer["inputTokens"])

    async def quotas(self) -> list[QuotaValue]:
        """Bedrock's quotas: the account's own values, else AWS's defaults."""
        applied = await self._quota_values("list_service_quotas")
        try:
            defaults = await self._quota_values("list_aws_default_service_quotas")
        except AccountError:
            defaults = {}
        return [
            QuotaValue(name=name, value=value, default=defaults[code][1] if code in defaults else None)
            for code, (name, value) in {**defaults, **applied}.items()
        ]

    async def logging(self) -> LoggingConfig | None:
        """Where the invocation log goes and how long it is kept. None: logging is off."""
        answer = await self._call("bedrock", "get_model_invocation_logging_configuration")
        config = answer.get("loggingConfig") or {}
        s3, logs = config.get("s3Config"), config.get("cloudWatchConfig")
        if not s3 and not logs:
            return None
        prefix = s3.get("keyPrefix", "") if s3 else ""
        return LoggingConfig(
            bucket=s3["bucketName"] if s3 else None,
            prefix=prefix,
            bucket_retention=await self._bucket_retention(s3["bucketName"], prefix) if s3 else None,
            log_group=logs["logGroupName"] if logs else None,
            log_group_retention=await self._log_group_retention(logs["logGroupName"]) if logs else None,
            text=config.get("textDataDeliveryEnabled", True),
        )

    async def _bucket_retention(self, bucket: str, prefix: str) -> Retention:
        try:
            answer = await self._call("s3", "get_bucket_lifecycle_configuration", Bucket=bucket)
        except AccountError as error:
            return Retention() if error.code == "NoSuchLifecycleConfiguration" else Retention(error=str(error))
        return bucket_retention(answer.get("Rules", ()), prefix)

    async def _log_group_retention(self, name: str) -> Retention:
        try:
            pages = await self._pages("logs", "describe_log_groups", logGroupNamePrefix=name)
        except AccountError as error:
            return Retention(error=str(error))
        groups = [group for page in pages for group in page["logGroups"] if group["logGroupName"] == name]
        if not groups:
            return Retention(error=f"no log group {name!r} exists")
        return Retention(days=groups[0].get("retentionInDays"))

    async def _quota_values(self, operation: str) -> dict[str, tuple[str, float]]:
        """Quota code → (name, value)."""
        pages = await self._pages("service-quotas", operation, ServiceCode="bedrock")
        quotas = [quota for page in pages for quota in page["Quotas"] if "Value" in quota]
        return {quota["QuotaCode"]: (quota["QuotaName"], quota["Value"]) for quota in quotas}

    async def _source(self) -> str | None:
        """How botocore found the credentials. None: no credentials."""
        if self._aws.connection.made_up_credentials:
            return MADE_UP
        with reading_errors("sts", "get_caller_identity", self.region):
            credentials = await self._aws.session.get_credentials()
        if credentials is None:
            return None
        in_profile = credentials.method not in ("env", "iam-role", "container-role", "explicit")
        return (
            f"{credentials.method}, profile {self._aws.session.profile_name!r}"
            if in_profile
            else str(credentials.method)
        )

    async def _call(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        with reading_errors(service, operation, self.region):
            client = await self._aws.client(service)
            answer: dict[str, Any] = await getattr(client, operation)(**arguments)
            return answer

    async def _pages(self, service: str, operation: str, **arguments: Any) -> list[dict[str, Any]]:
        with reading_errors(service, operation, self.region):
            client = await self._aws.client(service)
            return [page async for page in client.get_paginator(operation).paginate(**arguments)]


@asynccontextmanager
async def open_account(endpoint: str, *, region: str) -> AsyncIterator[Account]:
    """The account behind `aws` (the normal credential chain) or behind a loopback URL (made-up credentials).

    Nothing is sent until the first call. BadCredentials: unknown profile; EndpointError: invalid address or unknown
    Region.
    """
    connection = make_connection(endpoint, region=region, pool_size=10, connect_timeout_s=CONNECT_TIMEOUT_S)
    async with AsyncExitStack() as stack:
        with reading_errors("sts", "get_caller_identity", region):
            aws = AwsServices(
                connection,
                stack,
                retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
                read_timeout=READ_TIMEOUT_S,
            )
            if not connection.made_up_credentials:
                await _check_region(aws.session, region)
        yield Account(aws)


def configured_region() -> str | None:
    """AWS_REGION, AWS_DEFAULT_REGION, or the profile's Region in the AWS config file. None: none is set."""
    if named := os.environ.get("AWS_REGION"):
        return named
    with reading_errors("sts", "get_caller_identity", ""):
        region: str | None = aioboto3.Session().region_name
        return region


async def _check_region(session: Any, region: str) -> None:
    """AccountError: neither the SDK nor the catalog knows the Region."""
    known = set(all_regions())
    for partition in session.get_available_partitions():
        known |= set(await session.get_available_regions("ec2", partition_name=partition))
    if region not in known:
        near = get_close_matches(region, sorted(known), n=3)
        raise AccountError(f"unknown Region {region!r}" + (f"; did you mean {' or '.join(near)}?" if near else ""))


def bucket_retention(rules: Iterable[Mapping[str, Any]], prefix: str) -> Retention:
    """The shortest expiry under `prefix`, from the `rules` of GetBucketLifecycleConfiguration."""
    days = [
        rule["Expiration"]["Days"]
        for rule in rules
        if rule.get("Status") == "Enabled" and "Days" in rule.get("Expiration", {}) and _covers(rule, prefix)
    ]
    return Retention(days=min(days, default=None))


def _covers(rule: Mapping[str, Any], prefix: str) -> bool:
    """Whether a rule applies to the log's objects, which have no tags."""
    chosen = rule.get("Filter", {})
    together = chosen.get("And", chosen)
    if together.get("Tag") or together.get("Tags"):
        return False
    reach = together.get("Prefix") or rule.get("Prefix") or ""
    return prefix.startswith(reach) or reach.startswith(prefix)
