"""`harness models`: the catalog as tables or as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import JsonOption
from harness.cli.output import print_json
from harness.cli.places import local_path
from harness.errors import CatalogError, EndpointError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.catalog.live import ApplicationProfile
    from harness.catalog.models import Model
    from harness.catalog.prices import PriceOverride
    from harness.catalog.sources import Facts


def models(
    name: Annotated[
        str | None, typer.Argument(help="Show only models with this in their name or id. May be a profile id or ARN.")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Also ask AWS what the account can use in one Region.")] = False,
    region: Annotated[
        str | None, typer.Option(help="With --live: Region to ask. Default: the one in the AWS configuration.")
    ] = None,
    endpoint: Annotated[
        str, typer.Option(help="With --live: where to ask, aws or a URL such as the simulator's.")
    ] = "aws",
    prices: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Your own prices (TOML). They replace the listed ones.", parser=local_path),
    ] = None,
    sources: Annotated[bool, typer.Option("--sources", help="Show every fact with its source and date.")] = False,
    json_output: JsonOption = False,
) -> None:
    """List the Claude models: where they are offered, until when, and at what price.

    Sends nothing without --live.

    \b
    harness models
    harness models sonnet-4-5 --sources
    harness models --live --region eu-central-1
    harness models --prices discounts.toml --json
    """
    from harness.catalog.price_file import read_price_file

    overrides = read_price_file(prices) if prices else ()
    if live:
        facts, profiles = _ask_account(endpoint, region)
    elif region or endpoint != "aws":
        raise EndpointError("--region and --endpoint need --live")
    else:
        facts, profiles = None, {}
    chosen = _choose(name, facts, profiles)
    own = [each for each in profiles.values() if each.base_id in {model.base_id for model in chosen}]
    if json_output:
        print_json(_content(chosen, own, overrides))
        return
    from rich.console import Console

    from harness.cli.printing.models import print_facts, print_models

    console = Console(highlight=False, markup=False)
    if sources:
        print_facts(console, chosen, overrides)
    else:
        print_models(console, chosen, own, overrides)


def _ask_account(endpoint: str, region: str | None) -> tuple[Mapping[str, Facts], dict[str, ApplicationProfile]]:
    """What the account reports on the models of a Region, and its application profiles. EndpointError: no answer."""
    import asyncio

    from harness.catalog.live import live_facts, read_application_profiles
    from harness.catalog.regions import DEFAULT_REGION
    from harness.clock import utc_now
    from harness.endpoints.account.account import configured_region, open_account

    chosen_region = region or configured_region() or (DEFAULT_REGION if endpoint != "aws" else None)
    if chosen_region is None:
        raise EndpointError("no Region to ask: pass --region, or set AWS_REGION")

    async def ask() -> tuple[Mapping[str, Facts], dict[str, ApplicationProfile]]:
        async with open_account(endpoint, region=chosen_region) as account:
            summaries, profiles = await account.foundation_models(), await account.inference_profiles()
        facts = live_facts(summaries, profiles, region=chosen_region, as_of=utc_now().date())
        return facts, read_application_profiles(profiles)

    return asyncio.run(ask())


def _choose(
    name: str | None, facts: Mapping[str, Facts] | None, profiles: Mapping[str, ApplicationProfile]
) -> list[Model]:
    """The models with this text in their name or id; all without one. CatalogError: none, with the nearest names."""
    from harness.catalog.models import find_model, known_models
    from harness.catalog.names import read_reference

    known = list(known_models(facts))
    if name is None:
        return known
    text = profiles[name].base_id if name in profiles else read_reference(name).model
    if text is None:
        how = "this account does not list it" if facts is not None else "add --live"
        raise CatalogError(f"'{name}' is an application inference profile; only its account knows its model; {how}")
    matches = [each for each in known if any(text in key for key in (each.base_id, *each.aliases))]
    return matches or [find_model(text)]


def _content(
    chosen: Sequence[Model], profiles: Sequence[ApplicationProfile], overrides: Sequence[PriceOverride]
) -> dict[str, Any]:
    """The content of `--json`."""
    import msgspec

    from harness.catalog.limits import burndown_fact
    from harness.catalog.prices import price_for, regional_premium

    listed = [
        {
            "name": model.name,
            "base_id": model.base_id,
            **msgspec.structs.asdict(model),
            "burndown": burndown_fact(model.base_id),
            "prices": {routing: price_for(model.base_id, routing, overrides) for routing in model.routings},
            "regional_premium": regional_premium(model.base_id, overrides),
        }
        for model in chosen
    ]
    return {"models": listed, "application_profiles": profiles}
