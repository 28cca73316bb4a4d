"""A target: model × routing × api × client × Region × options, resolved to the id that goes on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from difflib import get_close_matches
from typing import Any, Literal

import msgspec
from msgspec import structs

from harness.catalog.models import Model, all_regions, find_model, lifecycle_warning
from harness.catalog.names import Reference, model_id, read_reference
from harness.errors import CatalogError

Api = Literal["invoke", "converse", "mantle"]
"""The dialect on the wire: InvokeModel, Converse, or the Messages API on bedrock-mantle."""
ServiceTier = Literal["default", "priority", "flex", "reserved"]
Latency = Literal["standard", "optimized"]


class Tool(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tool that the model may call. Its answers are never run."""

    name: str
    description: str = ""
    input_schema: dict[str, Any]


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is sent along with a prompt. None: the key is not sent. A prompt's own value wins over a target's."""

    max_tokens: int | None = None
    system: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None
    thinking: int | Literal["adaptive"] | None = None
    """Extended thinking: a budget in tokens, or as the model sees fit."""
    tools: list[Tool] | None = None
    tool_choice: str | None = None
    """`auto`, `any`, `none` or a tool's name."""
    cache: Literal["5m", "1h"] | None = None
    """Prompt caching: a cache point after the system prompt, the tools and the documents, kept this long."""
    citations: bool | None = None
    """Whether answers cite the prompt's documents; what Converse reads of a PDF depends on it."""
    beta: list[str] | None = None
    """Values of `anthropic_beta`, in the place where each api wants them."""
    service_tier: ServiceTier | None = None
    latency: Latency | None = None
    """Latency-optimised inference, where the model has it."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What is compared. `name` is unique in a suite."""

    name: str
    model: str
    """The catalog's short name, `claude-sonnet-4-5`."""
    base_model: str
    """The foundation model's id, `anthropic.claude-sonnet-4-5-20250929-v1:0`."""
    model_id: str
    """What goes into the URL: a profile id, a bare base id or an ARN."""
    routing: str
    """`global`, `us`, `eu`, …, `in-region`."""
    api: Api
    client: str
    region: str
    stream: bool = True
    options: Options = Options()


_NO_OPTIONS = Options()
_DEFAULT_REGIONS = {
    "us": "us-east-1",
    "eu": "eu-central-1",
    "jp": "ap-northeast-1",
    "apac": "ap-southeast-1",
    "au": "ap-southeast-2",
}
_DEFAULT_REGION = "us-east-1"


def resolve_target(
    *,
    model: str,
    routing: str | None = None,
    api: Api,
    client: str,
    region: str | None = None,
    stream: bool = True,
    options: Options = _NO_OPTIONS,
    label: str | None = None,
    home_region: str | None = None,
) -> Target:
    """Turn what a suite says of a target into what goes on the wire.

    `model`: a short name, base id, profile id or ARN; `routing`: one of the model's, or the ARN of a profile of it.
    Without `routing` it is what the model's name says, else `global`, else the first geography offered. Without
    `region` it is what an ARN says, else `home_region` (AWS_REGION) where that carries the routing, else the
    geography's own. Raises CatalogError at a model that is unknown or a combination that is not offered.
    """
    reference = read_reference(model)
    found = find_model(reference.model)
    if routing is not None and routing.startswith("arn:"):
        reference, routing = _profile_of(found, routing), None
    chosen = _choose_routing(found, reference, routing)
    return Target(
        name=label or _default_name(found.name, chosen, api),
        model=found.name,
        base_model=found.base_id,
        model_id=reference.arn or model_id(found.base_id, chosen),
        routing=chosen,
        api=api,
        client=client,
        region=_choose_region(found, chosen, _one_region(reference, region), home_region),
        stream=stream,
        options=options,
    )


def _default_name(model: str, routing: str, api: str) -> str:
    return f"{model}/{routing}/{api}"


def _profile_of(model: Model, arn: str) -> Reference:
    reference = read_reference(arn)
    if find_model(reference.model) != model:
        raise CatalogError(f"routing '{arn}' is a profile of another model than {model.name}")
    return reference


def _choose_routing(model: Model, reference: Reference, routing: str | None) -> str:
    if reference.routing and routing and reference.routing != routing:
        raise CatalogError(f"the model's id says '{reference.routing}' but routing says '{routing}'; drop one of them")
    chosen = reference.routing or routing or next(iter(model.routings))
    if chosen not in model.routings:
        raise CatalogError(f"'{chosen}' is not offered for {model.name} (offered: {', '.join(model.routings)})")
    return chosen


def _one_region(reference: Reference, region: str | None) -> str | None:
    if reference.region and region and reference.region != region:
        raise CatalogError(f"the ARN says '{reference.region}' but region says '{region}'; drop the latter")
    return reference.region or region


def _choose_region(model: Model, routing: str, region: str | None, home_region: str | None) -> str:
    carrying = model.routings[routing].value
    if region is not None:
        _check_region(model, routing, region)
        return region
    usual = _DEFAULT_REGIONS.get(routing, _DEFAULT_REGION)
    if not carrying:
        return home_region or usual if routing not in _DEFAULT_REGIONS else usual
    return next((choice for choice in (home_region, usual) if choice in carrying), carrying[0])


def _check_region(model: Model, routing: str, region: str) -> None:
    """Raise CatalogError unless the Region exists and, where a source names the Regions, carries the routing."""
    carrying = model.routings[routing].value
    if region not in all_regions():
        near = get_close_matches(region, sorted(all_regions()), n=3)
        raise CatalogError(f"unknown Region '{region}'" + (f"; did you mean {' or '.join(near)}?" if near else ""))
    if carrying and region not in carrying:
        raise CatalogError(
            f"Region '{region}' does not carry '{routing}' for {model.name} (offered in: {_first_few(carrying)})"
        )


def _first_few(regions: Sequence[str], limit: int = 8) -> str:
    rest = len(regions) - limit
    return ", ".join(regions[:limit]) + (f" and {rest} more" if rest > 0 else "")


def distinguish(targets: Sequence[Target]) -> tuple[Target, ...]:
    """Add client, Region and mode to the names that several targets share, each only where it tells them apart.

    Labels stay as they are. Names that are the same afterwards belong to targets that need a label.
    """
    named = tuple(targets)
    for part in (_client, _region, _mode):
        parts_of: dict[str, set[str]] = {}
        for target in named:
            parts_of.setdefault(target.name, set()).add(part(target))
        named = tuple(
            structs.replace(target, name=f"{target.name}/{part(target)}")
            if len(parts_of[target.name]) > 1 and not _is_labelled(target)
            else target
            for target in named
        )
    return named


def _client(target: Target) -> str:
    return target.client


def _region(target: Target) -> str:
    return target.region


def _mode(target: Target) -> str:
    return "stream" if target.stream else "whole"


def _is_labelled(target: Target) -> bool:
    return not target.name.startswith(_default_name(target.model, target.routing, target.api))


def target_warnings(target: Target, *, today: date) -> tuple[str, ...]:
    """What to say before a run: the model's end, and a routing that only the oldest source knows."""
    model = find_model(target.base_model)
    fact = model.routings[target.routing]
    warnings = [lifecycle_warning(model, today)]
    if not fact.value:
        warnings.append(
            f"'{target.routing}' for {target.model} is known from {fact.source} ({fact.as_of}) alone; no fresher "
            f"source names a Region for it, so AWS may refuse it: `harness models {target.model}` shows the others"
        )
    return tuple(warning for warning in warnings if warning)
