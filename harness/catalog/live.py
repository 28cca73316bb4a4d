"""Turns the control plane's answers for one account and Region into catalog facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import msgspec

from harness.catalog.names import APPLICATION, IN_REGION, is_claude, read_reference
from harness.catalog.sources import Fact, Facts, Status
from harness.errors import CatalogError

T = TypeVar("T")


class ApplicationProfile(msgspec.Struct, frozen=True, kw_only=True):
    """An account's own inference profile, and the Claude model behind it."""

    arn: str
    name: str
    base_id: str
    routing: str
    """The routing of the profile or model that it was made from; `application` if unknown."""


class _Lifecycle(msgspec.Struct, rename="camel"):
    """The lifecycle of a model. SDKs of 2025 drop the dates."""

    status: str = "ACTIVE"
    legacy_time: datetime | None = None
    public_extended_access_time: datetime | None = None
    end_of_life_time: datetime | None = None


class _Summary(msgspec.Struct, rename="camel"):
    """The fields of a `modelSummaries` entry that the catalog uses."""

    model_id: str
    inference_types_supported: list[str] = []
    model_lifecycle: _Lifecycle | None = None


class _ProfileModel(msgspec.Struct, rename="camel"):
    model_arn: str


class _Profile(msgspec.Struct, rename="camel"):
    """The fields of an `inferenceProfileSummaries` entry that the catalog uses."""

    inference_profile_id: str
    inference_profile_arn: str
    type: str
    inference_profile_name: str = ""
    status: str = "ACTIVE"
    models: list[_ProfileModel] = []

    @property
    def model_arns(self) -> frozenset[str]:
        return frozenset(each.model_arn for each in self.models)


def live_facts(
    summaries: Iterable[dict[str, Any]], profiles: Iterable[dict[str, Any]], *, region: str, as_of: date
) -> Mapping[str, Facts]:
    """Base id → facts, from the entries of ListFoundationModels and ListInferenceProfiles in one Region.

    A profile stays ACTIVE when its model is LEGACY, so the lifecycle comes from the model. Other providers' entries are
    ignored. CatalogError: an entry does not have the documented form.
    """
    listed = {each.model_id: each for each in _read(summaries, _Summary) if is_claude(each.model_id)}
    routings = {
        base_id: [IN_REGION] for base_id, each in listed.items() if "ON_DEMAND" in each.inference_types_supported
    }
    for profile in _read(profiles, _Profile):
        if profile.type == "SYSTEM_DEFINED" and profile.status == "ACTIVE":
            reference = read_reference(profile.inference_profile_id)
            if reference.model and reference.routing and is_claude(reference.model):
                routings.setdefault(reference.model, []).append(reference.routing)
    source = _Source(region, as_of)
    return {
        base_id: _facts(routings.get(base_id, ()), listed.get(base_id), source) for base_id in {**listed, **routings}
    }


class _Source:
    """The account as a source of facts."""

    def __init__(self, region: str, as_of: date) -> None:
        self.region = region
        self._source = {"source": f"live account in {region}", "as_of": as_of.isoformat()}

    def fact(self, value: T) -> Fact[T]:
        return Fact(value=value, **self._source)

    def day(self, moment: datetime | None) -> Fact[date] | None:
        if moment is None:
            return None
        return self.fact((moment.astimezone(UTC) if moment.tzinfo else moment).date())


def _facts(routings: Iterable[str], summary: _Summary | None, source: _Source) -> Facts:
    lifecycle = summary.model_lifecycle if summary else None
    status: Status = "legacy" if lifecycle and lifecycle.status == "LEGACY" else "active"
    return Facts(
        live_region=source.region,
        routings={routing: source.fact((source.region,)) for routing in routings},
        status=source.fact(status) if lifecycle else None,
        legacy=source.day(lifecycle.legacy_time) if lifecycle else None,
        extended_access=source.day(lifecycle.public_extended_access_time) if lifecycle else None,
        end_of_life=source.day(lifecycle.end_of_life_time) if lifecycle else None,
    )


def read_application_profiles(profiles: Iterable[dict[str, Any]]) -> dict[str, ApplicationProfile]:
    """ARN → the account's own profiles of Claude models, from ListInferenceProfiles.

    The ARNs behind a profile show what it was made from: one without a Region means the global profile, a single one a
    bare model, and a geography has the same ARNs as its system-defined profile.
    """
    entries = _read(profiles, _Profile)
    origins = {
        each.model_arns: routing
        for each in entries
        if each.type == "SYSTEM_DEFINED" and (routing := read_reference(each.inference_profile_id).routing)
    }
    own = [_application_profile(each, origins) for each in entries if each.type == "APPLICATION"]
    return {each.arn: each for each in own if each is not None}


def _application_profile(profile: _Profile, origins: Mapping[frozenset[str], str]) -> ApplicationProfile | None:
    models = [read_reference(arn) for arn in sorted(profile.model_arns) if _is_model_arn(arn)]
    if not models or models[0].model is None or not is_claude(models[0].model):
        return None
    if any(each.region is None for each in models):
        routing = "global"
    elif len(models) == 1:
        routing = IN_REGION
    else:
        routing = origins.get(profile.model_arns, APPLICATION)
    return ApplicationProfile(
        arn=profile.inference_profile_arn,
        name=profile.inference_profile_name,
        base_id=models[0].model,
        routing=routing,
    )


def _is_model_arn(arn: str) -> bool:
    return arn.startswith("arn:") and ":foundation-model/" in arn


def _read(entries: Iterable[dict[str, Any]], kind: type[T]) -> list[T]:
    try:
        return [msgspec.convert(entry, kind, strict=False) for entry in entries]
    except msgspec.ValidationError as error:
        raise CatalogError(f"Bedrock's answer does not have the documented form: {error}") from None
