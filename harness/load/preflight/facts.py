"""Facts about the account in one Region, gathered concurrently, and the type of the diagnoses made from them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any, Literal, TypeVar

import msgspec

from harness.endpoints.account.account import Account, LoggingConfig, QuotaValue
from harness.endpoints.account.errors import AccountError, BadCredentials, NotPermitted

Status = Literal["ok", "warning", "problem", "unknown"]
"""`problem`: the run would be invalid or incomplete. `unknown`: the account did not answer."""


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one check. `target` None: it concerns the account."""

    target: str | None = None
    check: str
    status: Status
    message: str = msgspec.field(name="told")
    remedy: str | None = None


def unknown(check: str, error: AccountError, *, target: str | None = None) -> Diagnosis:
    """The diagnosis of a check for which the account did not answer."""
    remedy = f"allow {error.action} for these credentials" if isinstance(error, NotPermitted) else None
    return Diagnosis(target=target, check=check, status="unknown", message=f"could not check: {error}", remedy=remedy)


def has_no_problem(diagnoses: Iterable[Diagnosis]) -> bool:
    """Whether no diagnosis is a problem."""
    return all(each.status != "problem" for each in diagnoses)


T = TypeVar("T")
_GOOD = ("AUTHORIZED", "AVAILABLE")
_SHORT_BODY = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 1,
    "messages": [{"role": "user", "content": "hello"}],
}


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the account may call a model: it may if neither `lacking` nor `unknown` is set."""

    lacking: tuple[str, ...] = ()
    """What is missing, according to GetFoundationModelAvailability."""
    unknown: AccountError | None = None


class RegionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts about the account in one Region; an error in place of each that could not be read."""

    region: str
    models: dict[str, dict[str, Any]] | AccountError
    """`modelSummaries` by model id."""
    profiles: list[dict[str, Any]] | AccountError
    quotas: list[QuotaValue] | AccountError
    logging: LoggingConfig | AccountError | None
    access: dict[str, Access]
    """By base model."""


async def gather_facts(account: Account, base_models: Iterable[str]) -> RegionFacts:
    """Gather all facts concurrently. BadCredentials: Bedrock refuses the credentials."""
    async with asyncio.TaskGroup() as tasks:
        models = tasks.create_task(_answer(account.foundation_models()))
        profiles = tasks.create_task(_answer(account.inference_profiles()))
        quotas = tasks.create_task(_answer(account.quotas()))
        logging = tasks.create_task(_answer(account.logging()))
        access = {each: tasks.create_task(_access(account, each)) for each in base_models}
    listed = models.result()
    if isinstance(listed, BadCredentials):
        raise listed
    return RegionFacts(
        region=account.region,
        models=listed if isinstance(listed, AccountError) else {each["modelId"]: each for each in listed},
        profiles=profiles.result(),
        quotas=quotas.result(),
        logging=logging.result(),
        access={base_model: task.result() for base_model, task in access.items()},
    )


async def _answer(question: Awaitable[T]) -> T | AccountError:
    try:
        return await question
    except AccountError as error:
        return error


async def _access(account: Account, base_model: str) -> Access:
    """Whether the account may call the model. If the API does not answer, a model that counts tokens is callable."""
    try:
        answer = await account.availability(base_model)
    except AccountError as error:
        counted = await _answer(account.count_tokens(base_model, _SHORT_BODY))
        return Access(unknown=error) if isinstance(counted, AccountError) else Access()
    statuses = {
        "authorization": answer.get("authorizationStatus"),
        "entitlement": answer.get("entitlementAvailability"),
        "agreement": answer.get("agreementAvailability", {}).get("status"),
    }
    return Access(lacking=tuple(f"{what} {status}" for what, status in statuses.items() if status not in _GOOD))


def profiles_of(base_model: str, facts: RegionFacts) -> Sequence[str]:
    """Ids of a model's active profiles; empty if the account did not list them."""
    if isinstance(facts.profiles, AccountError):
        return ()
    return [
        each["inferenceProfileId"]
        for each in facts.profiles
        if each.get("status") == "ACTIVE" and any(m["modelArn"].endswith(f"/{base_model}") for m in each["models"])
    ]


class CallableModel(msgspec.Struct, frozen=True, kw_only=True):
    """A Claude model that an account can call in a Region."""

    base_id: str
    status: str
    """AWS's status: `ACTIVE`, `LEGACY`."""
    on_demand: bool
    """Whether the bare model id can be called."""
    profiles: tuple[str, ...]
    """Ids of the active profiles that can be called instead."""


def callable_models(facts: RegionFacts) -> list[CallableModel]:
    """The Region's Claude models that can be called; empty if the account did not list them."""
    listed = {} if isinstance(facts.models, AccountError) else facts.models
    models = [
        CallableModel(
            base_id=base_id,
            status=each.get("modelLifecycle", {}).get("status", "unknown"),
            on_demand="ON_DEMAND" in each.get("inferenceTypesSupported", ()),
            profiles=tuple(profiles_of(base_id, facts)),
        )
        for base_id, each in sorted(listed.items())
    ]
    return [each for each in models if each.on_demand or each.profiles]
