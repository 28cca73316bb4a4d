"""Parses the names of a model: short name, base id, profile id, ARN."""

from __future__ import annotations

import re

import msgspec

from harness.errors import CatalogError

IN_REGION = "in-region"
"""The routing that sends the bare base id."""
APPLICATION = "application"
"""The routing of an application inference profile of unknown origin."""
US_GOV = "us-gov"

_BASE_ID = re.compile(r"anthropic\.(?P<name>claude-[a-z0-9-]+?)(?:-(?P<date>\d{8}))?(?:-v\d+(?::\d+)?)?")
_PROFILE_ID = re.compile(r"(?P<routing>[a-z]+(?:-[a-z]+)*)\.(?P<base_id>anthropic\..+)")
_ARN = re.compile(r"arn:aws[a-z-]*:bedrock:(?P<region>[a-z0-9-]*):(?:\d{12})?:(?P<kind>[a-z-]+)/(?P<id>.+)")
_VERSION_PART = re.compile(r"-(\d{1,2})(?=-|$)")


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a model's name as a user wrote it. None: not in the name."""

    model: str | None
    """A base id or a short name. None: the ARN of an application profile, whose model only the account knows."""
    routing: str | None = None
    region: str | None = None
    arn: str | None = None
    """The ARN as written, which is sent in place of a model id."""


def read_reference(text: str, *, key: str = "model") -> Reference:
    """Parse a short name, base id, profile id, or the ARN of a foundation model or a profile.

    Does not check that the model exists. CatalogError, with `key`: an ARN of any other kind.
    """
    if text.startswith("arn:"):
        return _read_arn(text, key)
    if profile := _PROFILE_ID.fullmatch(text):
        return Reference(model=profile["base_id"], routing=profile["routing"])
    return Reference(model=text)


def _read_arn(arn: str, key: str) -> Reference:
    parts = _ARN.fullmatch(arn)
    kind = parts["kind"] if parts else None
    if parts and kind == "foundation-model":
        return Reference(model=parts["id"], routing=IN_REGION, region=parts["region"] or None, arn=arn)
    if parts and kind == "inference-profile" and (profile := _PROFILE_ID.fullmatch(parts["id"])):
        return Reference(model=profile["base_id"], routing=profile["routing"], region=parts["region"] or None, arn=arn)
    if parts and kind == "application-inference-profile" and parts["region"]:
        return Reference(model=None, routing=APPLICATION, region=parts["region"], arn=arn)
    raise CatalogError(
        f"'{arn}' is not the ARN of a Claude model on Bedrock; expected "
        "arn:aws:bedrock:REGION:ACCOUNT:inference-profile/PROFILE_ID or arn:aws:bedrock:REGION::foundation-model/ID",
        key=key,
    )


def model_id(base_id: str, routing: str) -> str:
    """The id in the URL: a profile id, or for `in-region` the bare base id."""
    return base_id if routing == IN_REGION else f"{routing}.{base_id}"


def is_claude(base_id: str) -> bool:
    """Whether this is the base id of a Claude model."""
    return _BASE_ID.fullmatch(base_id) is not None


def short_name(base_id: str) -> str:
    """`anthropic.claude-sonnet-4-5-20250929-v1:0` → `claude-sonnet-4-5`, without date and version."""
    match = _BASE_ID.fullmatch(base_id)
    return match["name"] if match else base_id


def dated_name(base_id: str) -> str:
    """`anthropic.claude-sonnet-4-5-20250929-v1:0` → `claude-sonnet-4-5-20250929`; the short name if undated."""
    match = _BASE_ID.fullmatch(base_id)
    return f"{match['name']}-{match['date']}" if match and match["date"] else short_name(base_id)


def generation(base_id: str) -> tuple[int, int]:
    """`claude-sonnet-4-5` → (4, 5); `claude-opus-5` → (5, 0); `claude-3-haiku` → (3, 0)."""
    numbers = [int(part) for part in _VERSION_PART.findall(short_name(base_id))]
    major, minor, *_ = [*numbers, 0, 0]
    return major, minor
