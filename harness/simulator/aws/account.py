"""The simulated AWS account: its caller, its application profiles, its logging, and the models in each Region."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec

from harness.catalog.models import Model, known_models
from harness.catalog.names import IN_REGION, model_id

ACCOUNT = "123456789012"
CALLER_ARN = f"arn:aws:iam::{ACCOUNT}:user/simulated"
CALLER_ID = "AIDASIMULATEDCALLER01"


class ApplicationProfile(msgspec.Struct, frozen=True, kw_only=True):
    """An application inference profile of the account, copied from a system-defined one."""

    id: str
    name: str
    copied_from: str
    """Id of the system-defined profile."""


APPLICATION_PROFILES = (
    ApplicationProfile(
        id="a1b2c3d4e5f6",
        name="support-triage",
        copied_from="global.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ),
    ApplicationProfile(
        id="f6e5d4c3b2a1",
        name="invoice-reading",
        copied_from="us.anthropic.claude-haiku-4-5-20251001-v1:0",
    ),
)


def find_application_profile(reference: str) -> ApplicationProfile | None:
    """The application profile with this id or ARN, if there is one."""
    last = reference.rpartition("/")[2]
    return next((profile for profile in APPLICATION_PROFILES if profile.id == last), None)


def read_logging(written: str) -> dict[str, Any] | None:
    """`s3://bucket/prefix`, `logs:GROUP` or `none` → `loggingConfig`. Raises ValueError for anything else."""
    if written == "none":
        return None
    delivered = {f"{kind}DataDeliveryEnabled": True for kind in ("text", "image", "embedding", "video")}
    if written.startswith("logs:") and (group := written.removeprefix("logs:")):
        role = f"arn:aws:iam::{ACCOUNT}:role/bedrock-log"
        return {"cloudWatchConfig": {"logGroupName": group, "roleArn": role}, **delivered}
    bucket, _, prefix = written.removeprefix("s3://").partition("/")
    if not written.startswith("s3://") or not bucket:
        raise ValueError(f"{written!r} is not one of s3://BUCKET/PREFIX, logs:GROUP, none")
    place = {"bucketName": bucket, "keyPrefix": prefix.rstrip("/")} if prefix.rstrip("/") else {"bucketName": bucket}
    return {"s3Config": place, **delivered}


_GEOGRAPHIES = {
    "us": "us-",
    "us-gov": "us-gov-",
    "eu": "eu-",
    "jp": "ap-northeast-",
    "apac": "ap-",
    "au": "ap-southeast-",
}
"""Routing → prefix of its Regions' names, for models whose Regions the catalog does not list."""


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A model in one Region."""

    model: Model
    routings: tuple[str, ...]
    """Those available in this Region."""

    @property
    def profiles(self) -> tuple[str, ...]:
        """The routings with an inference profile: the geographies and `global`."""
        return tuple(routing for routing in self.routings if routing != IN_REGION)


@lru_cache(maxsize=64)
def offers_in(region: str) -> tuple[Offer, ...]:
    """Every model that can be called from the Region."""
    found = ((model, tuple(_routings_in(model, region))) for model in known_models())
    return tuple(Offer(model=model, routings=routings) for model, routings in found if routings)


def destinations(model: Model, routing: str, region: str) -> tuple[str, ...]:
    """The Regions to which a profile may route a request, including the calling one."""
    carrying = model.routings[routing].value
    return carrying if region in carrying else (region, *carrying)


def profile_ids(region: str) -> dict[str, tuple[Model, str]]:
    """Profile id → model and routing, for all profiles in the Region."""
    return {
        model_id(offer.model.base_id, routing): (offer.model, routing)
        for offer in offers_in(region)
        for routing in offer.profiles
    }


def title(model: Model) -> str:
    """The model's name as AWS writes it: `Claude Sonnet 4.5`, `Claude 3 Haiku`."""
    words: list[str] = []
    for part in model.name.removeprefix("claude-").split("-"):
        if part.isdecimal() and words and words[-1].isdecimal() and len(part) < 3:
            words[-1] += f".{part}"
        elif len(part) < 8:
            words.append(part.capitalize())
    return " ".join(["Claude", *words])


def _routings_in(model: Model, region: str) -> Iterator[str]:
    for routing, fact in model.routings.items():
        start = _GEOGRAPHIES.get(routing, "")
        if region in fact.value or (not fact.value and region.startswith(start)):
            yield routing
