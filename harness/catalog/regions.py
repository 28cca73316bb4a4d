"""Chooses a target's Region, and checks that it carries the routing."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from harness.catalog.models import Model, all_regions, carrying_regions
from harness.catalog.names import APPLICATION, IN_REGION, US_GOV
from harness.errors import CatalogError

_DEFAULT_REGIONS = {
    "us": "us-east-1",
    "eu": "eu-central-1",
    "jp": "ap-northeast-1",
    "apac": "ap-southeast-1",
    "au": "ap-southeast-2",
    "in": "ap-south-1",
    US_GOV: "us-gov-west-1",
}
DEFAULT_REGION = "us-east-1"


def choose_region(model: Model, routing: str, region: str | None, home_region: str | None) -> str:
    """`region` if given, else the home Region if it carries the routing, else the geography's default.

    CatalogError: `region` is unknown or does not carry the routing.
    """
    carrying = regions_of(model, routing)
    if region is not None:
        _check_region(model, routing, region, carrying)
        return region
    usual = _DEFAULT_REGIONS.get(routing, DEFAULT_REGION)
    if not carrying:
        return home_region or usual
    return next((choice for choice in (home_region, usual) if choice in carrying), carrying[0])


def regions_of(model: Model, routing: str) -> tuple[str, ...]:
    """The Regions that carry the routing. Empty: no source says.

    If no source names a Region of a geography for this model, those for other models count. An application profile has
    the Regions of all routings of its model.
    """
    if routing == APPLICATION:
        offered = [regions_of(model, each) for each in model.routings]
        return tuple(sorted({region for regions in offered for region in regions})) if all(offered) else ()
    if (fact := model.routings[routing]).value or routing in ("global", IN_REGION):
        return fact.value
    return carrying_regions(routing)


def _check_region(model: Model, routing: str, region: str, carrying: Sequence[str]) -> None:
    if region not in all_regions():
        near = get_close_matches(region, sorted(all_regions()), n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise CatalogError(f"unknown Region '{region}'{hint}", key="region")
    if carrying and region not in carrying:
        message = f"Region '{region}' does not carry '{routing}' for {model.name} (offered in: {_first_few(carrying)})"
        raise CatalogError(message, key="region")


def _first_few(regions: Sequence[str], limit: int = 8) -> str:
    rest = len(regions) - limit
    return ", ".join(regions[:limit]) + (f" and {rest} more" if rest > 0 else "")
