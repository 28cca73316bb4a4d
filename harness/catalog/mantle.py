"""bedrock-mantle: it knows a model by its own id, without a profile's prefix, in Regions of its own."""

from __future__ import annotations

from harness.catalog.models import Model
from harness.catalog.names import IN_REGION
from harness.catalog.regions import USUAL_REGION
from harness.catalog.sources import read_mantle
from harness.errors import CatalogError


def mantle_id(model: Model) -> str:
    """`anthropic.claude-haiku-4-5`: no date, no version, no prefix."""
    return f"anthropic.{model.name}"


def check_mantle_routing(routing: str | None) -> None:
    """CatalogError for anything but the model's own id."""
    if routing not in (None, IN_REGION):
        told = f"'{routing}' is not for api 'mantle', which takes a model's own id; leave routing out"
        raise CatalogError(told, key="routing")


def choose_mantle_region(model: Model, region: str | None, home_region: str | None) -> str:
    """`region` where mantle has the model, else the user's own where it does, else a usual one.

    Raises CatalogError at a Region in which it has not. Where no source lists the model, any Region is taken.
    """
    fact = read_mantle().get(mantle_id(model))
    if fact is None:
        return region or home_region or USUAL_REGION
    if region is not None and region not in fact.value:
        told = f"Region '{region}' has no {model.name} on bedrock-mantle (offered in: {', '.join(fact.value)})"
        raise CatalogError(told, key="region")
    return region or next(each for each in (home_region, USUAL_REGION, fact.value[0]) if each in fact.value)


def mantle_warning(model: Model) -> str | None:
    """What to say where no source lists the model."""
    if mantle_id(model) in read_mantle():
        return None
    return f"{model.name}: no source says that bedrock-mantle has it; use api invoke if it answers 404"
