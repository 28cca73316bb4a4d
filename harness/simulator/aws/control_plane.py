"""Bedrock's control plane (service `bedrock`): models, inference profiles, model access, logging."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from harness.catalog.models import Model
from harness.catalog.names import IN_REGION
from harness.clock import utc_now
from harness.simulator.aws.account import (
    ACCOUNT,
    APPLICATION_PROFILES,
    ApplicationProfile,
    Offer,
    destinations,
    offers_in,
    profile_ids,
    title,
)
from harness.simulator.faults import Fault, ServiceError, validation

_CREATED = "2025-01-01T00:00:00Z"
_MAX_PAGE = 1_000
_FOREIGN = {
    "modelId": "amazon.nova-micro-v1:0",
    "modelName": "Nova Micro",
    "providerName": "Amazon",
    "inputModalities": ["TEXT"],
    "outputModalities": ["TEXT"],
    "responseStreamingSupported": True,
    "customizationsSupported": [],
    "inferenceTypesSupported": ["ON_DEMAND"],
    "modelLifecycle": {"status": "ACTIVE"},
}
"""A model of another provider, so that clients have something to filter out."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The account's access and settings."""

    denied: frozenset[str] = frozenset()
    """Base ids of the models without access."""
    logging: dict[str, Any] | None = None
    """`loggingConfig`. None if logging is off."""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A request to the control plane. `name` is the path after the collection, empty for the collection itself."""

    name: str
    params: Mapping[str, str]
    region: str
    account: Account


def answer(path: str, query: Query) -> dict[str, Any] | None:
    """The JSON of the reply. None if there is no such page. Raises ServiceError."""
    page = PAGES.get((path, bool(query.name)))
    return None if page is None else page(query)


def _list_models(query: Query) -> dict[str, Any]:
    summaries = [_foreign(query.region), *(_summary(offer, query.region) for offer in offers_in(query.region))]
    wanted = query.params
    return {
        "modelSummaries": [
            each
            for each in summaries
            if wanted.get("byProvider", each["providerName"]).casefold() == each["providerName"].casefold()
            and wanted.get("byOutputModality", "TEXT") in each["outputModalities"]
            and wanted.get("byInferenceType", each["inferenceTypesSupported"][0]) in each["inferenceTypesSupported"]
            and "byCustomizationType" not in wanted
        ]
    }


def _get_model(query: Query) -> dict[str, Any]:
    wanted = query.name.rpartition("/")[2]
    for summary in _list_models(msgspec.structs.replace(query, params={}))["modelSummaries"]:
        if summary["modelId"] == wanted:
            return {"modelDetails": summary}
    raise _unknown("The provided model identifier is invalid.")


def _get_availability(query: Query) -> dict[str, Any]:
    offered = any(offer.model.base_id == query.name for offer in offers_in(query.region))
    granted = query.name not in query.account.denied
    return {
        "modelId": query.name,
        "agreementAvailability": {"status": "AVAILABLE" if granted else "NOT_AVAILABLE"},
        "authorizationStatus": "AUTHORIZED" if granted else "NOT_AUTHORIZED",
        "entitlementAvailability": "AVAILABLE" if granted else "NOT_AVAILABLE",
        "regionAvailability": "AVAILABLE" if offered else "NOT_AVAILABLE",
    }


def _list_profiles(query: Query) -> dict[str, Any]:
    kind = query.params.get("type")
    profiles = [each for each in _profiles(query.region) if kind in (None, each["type"])]
    page, token = paginate(profiles, size=query.params.get("maxResults"), token=query.params.get("nextToken"))
    return {"inferenceProfileSummaries": page, **({"nextToken": token} if token else {})}


def _get_profile(query: Query) -> dict[str, Any]:
    for profile in _profiles(query.region):
        if query.name in (profile["inferenceProfileId"], profile["inferenceProfileArn"]):
            return profile
    raise _unknown(f"Could not find inference profile {query.name}.")


def _get_logging(query: Query) -> dict[str, Any]:
    config = query.account.logging
    return {} if config is None else {"loggingConfig": config}


PAGES: dict[tuple[str, bool], Callable[[Query], dict[str, Any]]] = {
    ("foundation-models", False): _list_models,
    ("foundation-models", True): _get_model,
    ("foundation-model-availability", True): _get_availability,
    ("inference-profiles", False): _list_profiles,
    ("inference-profiles", True): _get_profile,
    ("logging", True): _get_logging,
}
"""(First part of the path, whether more follows) → handler."""


def paginate(
    items: Sequence[dict[str, Any]], *, size: str | int | None, token: str | None
) -> tuple[list[Any], str | None]:
    """One page and the token of the next. Raises ServiceError for an invalid token."""
    try:
        start = int(b64decode(token, validate=True)) if token else 0
        end = start + min(int(size or _MAX_PAGE), _MAX_PAGE)
    except ValueError as error:
        raise validation("The provided pagination token is invalid.") from error
    following = b64encode(str(end).encode()).decode() if end < len(items) else None
    return list(items[start:end]), following


def _foreign(region: str) -> dict[str, Any]:
    return {"modelArn": _model_arn(region, _FOREIGN["modelId"]), **_FOREIGN}


def _summary(offer: Offer, region: str) -> dict[str, Any]:
    kinds = ["ON_DEMAND"] if IN_REGION in offer.routings else []
    return {
        "modelArn": _model_arn(region, offer.model.base_id),
        "modelId": offer.model.base_id,
        "modelName": title(offer.model),
        "providerName": "Anthropic",
        "inputModalities": ["TEXT", "IMAGE"],
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": True,
        "customizationsSupported": [],
        "inferenceTypesSupported": [*kinds, "INFERENCE_PROFILE"] if offer.profiles else kinds,
        "modelLifecycle": _lifecycle(offer.model),
    }


def _lifecycle(model: Model) -> dict[str, Any]:
    today = utc_now().date()
    dates = {
        "legacyTime": model.legacy or model.deprecated,
        "publicExtendedAccessTime": model.extended_access,
        "endOfLifeTime": model.end_of_life,
    }
    stamps = {name: f"{fact.value.isoformat()}T00:00:00Z" for name, fact in dates.items() if fact is not None}
    started = any(fact is not None and fact.value <= today for fact in dates.values())
    legacy = started or (model.status is not None and model.status.value != "active")
    return {"status": "LEGACY" if legacy else "ACTIVE", **stamps}


def _profiles(region: str) -> list[dict[str, Any]]:
    """The system-defined profiles, then the account's."""
    known = profile_ids(region)
    own = [_profile(profile_id, *known[profile_id], region) for profile_id in known]
    copied = [
        _application_profile(profile, *known[profile.copied_from], region)
        for profile in APPLICATION_PROFILES
        if profile.copied_from in known
    ]
    return own + copied


def _profile(profile_id: str, model: Model, routing: str, region: str) -> dict[str, Any]:
    prefix = "Global" if routing == "global" else routing.upper()
    return {
        "inferenceProfileName": f"{prefix} Anthropic {title(model)}",
        "description": f"Routes requests to Anthropic {title(model)} in {routing}.",
        "createdAt": _CREATED,
        "updatedAt": _CREATED,
        "inferenceProfileArn": f"arn:aws:bedrock:{region}:{ACCOUNT}:inference-profile/{profile_id}",
        "models": _models(model, routing, region),
        "inferenceProfileId": profile_id,
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
    }


def _application_profile(profile: ApplicationProfile, model: Model, routing: str, region: str) -> dict[str, Any]:
    return {
        **_profile(profile.copied_from, model, routing, region),
        "inferenceProfileName": profile.name,
        "description": f"Copied from {profile.copied_from}.",
        "inferenceProfileArn": f"arn:aws:bedrock:{region}:{ACCOUNT}:application-inference-profile/{profile.id}",
        "inferenceProfileId": profile.id,
        "type": "APPLICATION",
    }


def _models(model: Model, routing: str, region: str) -> list[dict[str, str]]:
    if routing == "global":
        return [{"modelArn": _model_arn(place, model.base_id)} for place in (region, "")]
    return [{"modelArn": _model_arn(place, model.base_id)} for place in destinations(model, routing, region)]


def _model_arn(region: str, model_id: Any) -> str:
    return f"arn:aws:bedrock:{region}::foundation-model/{model_id}"


def _unknown(message: str) -> ServiceError:
    return ServiceError(Fault(status=404, code="ResourceNotFoundException", message=message))
