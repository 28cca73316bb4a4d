"""Models that behave as a user says, so that a comparison can be rehearsed: a known difference must be found.

A JSON file: `{"claude-sonnet-4-6": {"ttft_s": 1.6, "verbosity": 2}, "us.anthropic.claude-opus-4-6": {"skill": 0.8}}`.
A key is an alias or a base id, for every way to call that model, or a profile id, which wins over it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from harness.catalog.models import find_model
from harness.errors import EndpointError
from harness.simulator.model.profiles import ModelName, Profile, read_model_id

Positive = Annotated[float, Meta(gt=0)]


class OwnProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What differs from the model's own profile. None: nothing."""

    skill: Annotated[float, Meta(ge=0, le=1)] | None = None
    """Probability of a right answer."""
    ttft_s: Positive | None = None
    """Median."""
    tokens_per_s: Positive | None = None
    verbosity: Annotated[float, Meta(ge=1)] | None = None
    """Tokens of an answer over what they would be: words without a meaning are put behind it."""


def load_own_profiles(path: Path) -> dict[str, OwnProfile]:
    """Base id or profile id → what differs. Raises EndpointError, and CatalogError for a model that does not exist."""
    try:
        written = msgspec.json.decode(path.read_bytes(), type=dict[str, OwnProfile])
    except OSError as error:
        raise EndpointError(f"{path}: the profiles cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise EndpointError(f'{path}: no profiles ({error}); write {{"claude-haiku-4-5": {{"skill": 0.8}}}}') from error
    return {(name if read_model_id(name) else find_model(name).base_id): own for name, own in written.items()}


def adapt(profile: Profile, own: Mapping[str, OwnProfile], *, model_id: str, model: ModelName) -> Profile:
    """The profile as the user has it."""
    found = own.get(model_id) or own.get(model.base_id)
    if found is None:
        return profile
    given = {name: value for name, value in msgspec.structs.asdict(found).items() if value is not None}
    if "ttft_s" in given:
        given["ttft_median_s"] = given.pop("ttft_s")
    return msgspec.structs.replace(profile, **given)
