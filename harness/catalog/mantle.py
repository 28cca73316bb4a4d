"""bedrock-mantle: model ids without prefix, date and version, and the Regions that offer them."""

from __future__ import annotations

from harness.catalog.models import Model
from harness.catalog.names import IN_REGION
from harness.catalog.regions import DEFAULT_REGION
from harness.catalog.sources import read_mantle
from harness.errors import CatalogError


def mantle_id(model: Model) -> str:
    """`anthropic.claude-haiku-4-5`: without prefix, date and version."""
    return f"anthropic.{model.name}"


def check_mantle_routing(routing: str | None) -> None:
    """CatalogError: a routing other than `in-region` was given."""
    if routing not in (None, IN_REGION):
        message = f"'{routing}' cannot be used with api 'mantle', which takes the bare model id; leave routing out"
        raise CatalogError(message, key="routing")


def choose_mantle_region(model: Model, region: str | None, home_region: str | None) -> str:
    """`region` if given, else the home Region if it offers the model, else a default Region.

    If no source lists the model, any Region is accepted. CatalogError: `region` does not offer the model.
    """
    fact = read_mantle().get(mantle_id(model))
    if fact is None:
        return region or home_region or DEFAULT_REGION
    if region is not None and region not in fact.value:
        message = (
            f"Region '{region}' does not offer {model.name} on bedrock-mantle (offered in: {', '.join(fact.value)})"
        )
        raise CatalogError(message, key="region")
    return region or next(each for each in (home_region, DEFAULT_REGION, fact.value[0]) if each in fact.value)


def mantle_warning(model: Model) -> str | None:
    """A warning if no source lists the model."""
    if mantle_id(model) in read_mantle():
        return None
    return f"no source lists {model.name} on bedrock-mantle; use api invoke if it answers 404"
