"""The Claude models on Bedrock: the facts of all sources, merged. The fresher source wins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from difflib import get_close_matches
from functools import cache

import msgspec

from harness.catalog import names
from harness.catalog.sources import Fact, Facts, read_documented, read_geographies, read_package
from harness.errors import CatalogError

_ROUTING_ORDER = ("global", "us", "eu", "jp", "apac", "au", "in", names.US_GOV)


class Model(Facts, frozen=True, kw_only=True):
    """A Claude model that can be called on bedrock-runtime. Every fact has a source and a date.

    `routings` is the union over the sources. If several list a routing, the freshest one provides its Regions.
    """

    name: str
    """`claude-sonnet-4-5`; unique."""
    base_id: str
    aliases: tuple[str, ...]
    """Other accepted short names, such as `claude-sonnet-4-5-20250929`."""
    generation: tuple[int, int]
    """(4, 5) for Claude Sonnet 4.5."""


def known_models(live: Mapping[str, Facts] | None = None) -> tuple[Model, ...]:
    """Every Claude model that a source lists as offered, newest generation first.

    `live`: an account's facts in one Region (`live.live_facts`). They override all others: a routing that they do not
    list is not offered in that Region.
    """
    return _packaged_models() if live is None else _make_models(_merge(_packaged_facts(), live))


@cache
def _packaged_models() -> tuple[Model, ...]:
    return _make_models(_packaged_facts())


def _packaged_facts() -> dict[str, Facts]:
    return _merge(read_documented(), read_package())


def _merge(lower: Mapping[str, Facts], upper: Mapping[str, Facts]) -> dict[str, Facts]:
    return {**lower, **{base_id: _overlay(lower.get(base_id, Facts()), facts) for base_id, facts in upper.items()}}


def _overlay(lower: Facts, upper: Facts) -> Facts:
    """The values of `upper` where set, else those of `lower`; the routings of both."""
    values = {field: value for field in Facts.__struct_fields__ if (value := getattr(upper, field)) is not None}
    routings = _without_region(lower.routings, upper.live_region) if upper.live_region else lower.routings
    return msgspec.structs.replace(lower, **{**values, "routings": {**routings, **upper.routings}})


def _without_region(routings: dict[str, Fact[tuple[str, ...]]], region: str) -> dict[str, Fact[tuple[str, ...]]]:
    """The routings without this Region. A routing that only this Region carries is dropped."""
    elsewhere = {
        routing: msgspec.structs.replace(fact, value=tuple(each for each in fact.value if each != region))
        for routing, fact in routings.items()
    }
    return {routing: fact for routing, fact in elsewhere.items() if fact.value or not routings[routing].value}


def _make_models(merged: Mapping[str, Facts]) -> tuple[Model, ...]:
    offered = {base_id: facts for base_id, facts in merged.items() if facts.routings}
    models = [_make_model(base_id, facts, offered) for base_id, facts in offered.items()]
    return tuple(sorted(models, key=lambda model: (*(-part for part in model.generation), model.name)))


def _make_model(base_id: str, facts: Facts, offered: Iterable[str]) -> Model:
    short, dated = names.short_name(base_id), names.dated_name(base_id)
    newest = max(names.dated_name(other) for other in offered if names.short_name(other) == short)
    name = short if dated == newest else dated
    title_name = facts.title.lower().replace(" ", "-").replace(".", "-") if facts.title else name
    routings = sorted(facts.routings, key=_routing_rank)
    values = {field: getattr(facts, field) for field in Facts.__struct_fields__}
    return Model(
        **{**values, "routings": {routing: facts.routings[routing] for routing in routings}},
        name=name,
        base_id=base_id,
        aliases=tuple(sorted({dated, title_name} - {name})),
        generation=names.generation(base_id),
    )


def _routing_rank(routing: str) -> tuple[int, str]:
    """Sort key: global, the geographies, in-region."""
    if routing == names.IN_REGION:
        return len(_ROUTING_ORDER) + 1, routing
    rank = _ROUTING_ORDER.index(routing) if routing in _ROUTING_ORDER else len(_ROUTING_ORDER)
    return rank, routing


@cache
def _index() -> dict[str, Model]:
    return {key: model for model in known_models() for key in (*model.aliases, model.base_id, model.name)}


def find_model(name: str) -> Model:
    """The model with this short name, alias or base id. CatalogError: unknown, with the closest known models."""
    if model := _index().get(name):
        return model
    near = dict.fromkeys(_index()[key].name for key in get_close_matches(name, _index(), n=3, cutoff=0.6))
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise CatalogError(f"unknown model '{name}'; {hint}`harness models` lists the known models", key="model")


@cache
def carrying_regions(routing: str) -> tuple[str, ...]:
    """The Regions that carry a routing for any model, sorted. Empty: no source says."""
    regions = {region for model in known_models() if (fact := model.routings.get(routing)) for region in fact.value}
    if geography := read_geographies().get(routing):
        regions.update(geography.regions.value)
    return tuple(sorted(regions))


@cache
def known_routings() -> tuple[str, ...]:
    """Every routing that a source names for any Claude model: global, the geographies, in-region."""
    return tuple(sorted({routing for model in known_models() for routing in model.routings}, key=_routing_rank))


@cache
def all_regions() -> frozenset[str]:
    """Every AWS Region that a source names for any Claude model."""
    routings = {routing for model in known_models() for routing in model.routings}
    return frozenset(region for routing in routings for region in carrying_regions(routing))


def lifecycle_warning(model: Model, today: date) -> str | None:
    """A warning if the model is deprecated, legacy or ended, with dates and source."""
    end, legacy, deprecated = model.end_of_life, model.legacy, model.deprecated
    remedy = "; `harness models` lists the active ones"
    if end and end.value <= today:
        ended = f"{model.name} reached its end of life on {end.value} ({end.source}, {end.as_of})"
        return f"{ended}; Bedrock refuses it{remedy}"
    if legacy and legacy.value <= today:
        later = f"; {outlook}" if (outlook := _outlook(model, today)) else ""
        return f"{model.name} has been legacy since {legacy.value}{later} ({legacy.source}, {legacy.as_of}){remedy}"
    if deprecated and deprecated.value <= today:
        source = f"({deprecated.source}, {deprecated.as_of})"
        return f"{model.name} has been deprecated since {deprecated.value} {source}{remedy}"
    if model.status and model.status.value != "active":
        return f"{model.name} is {model.status.value} ({model.status.source}, {model.status.as_of}){remedy}"
    return None


def _outlook(model: Model, today: date) -> str:
    """The next steps: `costs more from 2027-01-08, end of life 2027-04-08`."""
    steps = []
    if model.extended_access and model.extended_access.value > today:
        steps.append(f"costs more from {model.extended_access.value}")
    elif model.extended_access:
        steps.append(f"has cost more since {model.extended_access.value}")
    if model.end_of_life:
        steps.append(f"end of life {model.end_of_life.value}")
    return ", ".join(steps)
