"""A target: model × routing × api × client × Region × options, resolved to the id that is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, structs

from harness.catalog.limits import long_context_warning
from harness.catalog.live import ApplicationProfile
from harness.catalog.mantle import check_mantle_routing, choose_mantle_region, mantle_id, mantle_warning
from harness.catalog.models import Model, find_model, lifecycle_warning
from harness.catalog.names import APPLICATION, IN_REGION, Reference, model_id, read_reference
from harness.catalog.regions import choose_region
from harness.errors import CatalogError

Api = Literal["invoke", "converse", "messages", "mantle", "openai"]
"""The dialect on the wire: InvokeModel, Converse, the Messages API on bedrock-runtime or on bedrock-mantle, or chat
completions."""
ServiceTier = Literal["default", "priority", "flex", "reserved"]
Latency = Literal["standard", "optimized"]
CacheTtl = Literal["5m", "1h"]


END = r"$(?!\n)"
"""Matches only at the end of the text. In Python, a plain `$` also matches before a final line break."""
Text = Annotated[str, Meta(min_length=1)]
Texts = Annotated[list[Text], Meta(min_length=1)]
Count = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0, le=1)]
BetaName = Annotated[str, Meta(pattern=rf"^[!-~]+{END}")]
"""Printable, as some apis take it in a header."""
InputSchema = Annotated[
    dict[str, Any],
    Meta(extra_json_schema={"properties": {"type": {"const": "object"}}, "required": ["type"]}),
]


class Tool(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tool that the model may call. Calls are recorded with the answer, never run."""

    name: Annotated[str, Meta(pattern=rf"^[A-Za-z0-9_-]{{1,64}}{END}", examples=["get_weather"])]
    description: str = ""
    input_schema: Annotated[InputSchema, Meta(description="JSON Schema of the tool's input, of type object.")]


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Request options. A prompt's options override its target's, which override the defaults. None: not sent."""

    max_tokens: Annotated[Count | None, Meta(description="The longest answer, in tokens.")] = None
    system: Annotated[Text | None, Meta(description="The system prompt.")] = None
    temperature: Annotated[Share | None, Meta(description="Newer models refuse it.")] = None
    top_p: Annotated[Share | None, Meta(description="Newer models refuse it.")] = None
    top_k: Annotated[Count | None, Meta(description="Newer models refuse it.")] = None
    stop_sequences: Annotated[Texts | None, Meta(description="Texts that end an answer.")] = None
    thinking: Annotated[
        Annotated[int, Meta(ge=1024)] | Literal["adaptive"] | None,
        Meta(description="Extended thinking: a budget in tokens, less than max_tokens, or `adaptive`."),
    ] = None
    tools: Annotated[
        Annotated[list[Tool], Meta(min_length=1)] | None, Meta(description="Tools that the model may call.")
    ] = None
    tool_choice: Annotated[Text | None, Meta(description="`auto`, `any`, `none` or the name of a tool.")] = None
    cache: Annotated[
        CacheTtl | None,
        Meta(description="Prompt caching: how long tools, system prompt and documents are kept."),
    ] = None
    citations: Annotated[
        bool | None,
        Meta(description="Answers cite the documents. Without, Converse reads only the text of a PDF."),
    ] = None
    beta: Annotated[
        Annotated[list[BetaName], Meta(min_length=1)] | None,
        Meta(description="Values of `anthropic_beta`.", examples=[["context-1m-2025-08-07"]]),
    ] = None
    service_tier: Annotated[ServiceTier | None, Meta(description="Where the model has it.")] = None
    latency: Annotated[
        Latency | None, Meta(description="`optimized`: latency-optimised inference, where the model has it.")
    ] = None


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What a suite compares: a model at one kind of endpoint. `name` is unique in a suite."""

    name: str
    model: str
    """The catalog's short name, `claude-sonnet-4-5`."""
    base_model: str
    """The foundation model's id, `anthropic.claude-sonnet-4-5-20250929-v1:0`."""
    model_id: str
    """The id in the URL: a profile id, a bare base id or an ARN."""
    routing: str
    """`global`, `us`, `eu`, …, `in-region`, or `application`: an account's profile of unknown origin."""
    api: Api
    client: str
    region: str
    stream: bool = True
    options: Options = Options()


NO_OPTIONS = Options()


def merge_options(target: Options, prompt: Options) -> Options:
    """The target's options, overridden by the prompt's."""
    if prompt == NO_OPTIONS:
        return target
    own = {name: value for name, value in structs.asdict(prompt).items() if value is not None}
    return structs.replace(target, **own)


def resolve_target(
    *,
    model: str,
    routing: str | None = None,
    api: Api,
    client: str,
    region: str | None = None,
    stream: bool = True,
    options: Options = NO_OPTIONS,
    label: str | None = None,
    home_region: str | None = None,
    profiles: Mapping[str, ApplicationProfile] = MappingProxyType({}),
) -> Target:
    """Resolve a target from its description in a suite.

    `model`: a short name, base id, profile id or ARN. `routing`: one of the model's, or the ARN of one of its profiles;
    default: the one in the model's name, else `global`, else the first geography offered. `region`: default: the one in
    an ARN, else `home_region` (AWS_REGION) if it carries the routing, else the geography's default. CatalogError: an
    unknown model, or a combination that is not offered.

    Api `mantle` has no routing: it takes the bare model id, in a Region that offers it there.

    Only the account knows the model of an application profile: it is looked up in `profiles` (by ARN), or named as
    `model` with the ARN as `routing`. The profile has the routing in the model's name (`global.anthropic.…`), else
    `application`, which is priced as regional.
    """
    reference = _reference(model, routing, profiles)
    if routing is not None and routing.startswith("arn:"):
        routing = None
    if reference.model is None:
        raise CatalogError(
            f"'{reference.arn}' is an application inference profile, and only the account knows its model; write the "
            "model's name as model and this ARN as routing (`harness models ARN --live` shows its model)",
            key="model",
        )
    resolved = find_model(reference.model)
    if api == "mantle":
        check_mantle_routing(reference.routing or routing)
        chosen, wire_id = IN_REGION, mantle_id(resolved)
        called_region = choose_mantle_region(resolved, region, home_region)
    else:
        chosen = _choose_routing(resolved, reference, routing)
        wire_id = reference.arn or model_id(resolved.base_id, chosen)
        called_region = choose_region(resolved, chosen, _one_region(reference, region), home_region)
    return Target(
        name=label or _default_name(resolved.name, chosen, api),
        model=resolved.name,
        base_model=resolved.base_id,
        model_id=wire_id,
        routing=chosen,
        api=api,
        client=client,
        region=called_region,
        stream=stream,
        options=options,
    )


def _default_name(model: str, routing: str, api: str) -> str:
    return f"{model}/{routing}/{api}"


def _reference(model: str, routing: str | None, profiles: Mapping[str, ApplicationProfile]) -> Reference:
    """The model that `model` and `routing` name together; an application profile's model comes from `profiles`."""
    named = _with_origin(read_reference(model), profiles)
    if routing is None or not routing.startswith("arn:"):
        return named
    profile = _with_origin(read_reference(routing, key="routing"), profiles)
    if named.arn and named.arn != profile.arn:
        message = f"model and routing '{routing}' are two ARNs; drop one of them"
        raise CatalogError(message, key="routing")
    return _join(named, profile)


def _with_origin(reference: Reference, profiles: Mapping[str, ApplicationProfile]) -> Reference:
    known = profiles.get(reference.arn or "")
    return structs.replace(reference, model=known.base_id, routing=known.routing) if known else reference


def _join(named: Reference, profile: Reference) -> Reference:
    """The model's reference joined with that of the profile given as its routing."""
    if named.model is None or profile.model is None:
        model = named.model or profile.model
    else:
        expected = find_model(named.model)
        if find_model(profile.model) != expected:
            message = f"routing '{profile.arn}' is a profile of another model than {expected.name}; name one model"
            raise CatalogError(message, key="routing")
        model = profile.model
    if profile.routing == APPLICATION:
        return structs.replace(profile, model=model, routing=named.routing or APPLICATION)
    if named.routing not in (None, profile.routing):
        raise CatalogError(
            f"the model's id says '{named.routing}' but routing '{profile.arn}' is a profile for '{profile.routing}'; "
            "drop one of them",
            key="routing",
        )
    return structs.replace(profile, model=model)


def _choose_routing(model: Model, reference: Reference, routing: str | None) -> str:
    own = None if routing and reference.routing == APPLICATION else reference.routing
    if own and routing and own != routing:
        message = f"the model's id says '{own}' but routing says '{routing}'; drop one of them"
        raise CatalogError(message, key="routing")
    chosen = own or routing or next(iter(model.routings))
    if chosen == APPLICATION and reference.arn:
        return chosen
    if chosen == APPLICATION:
        message = f"routing '{APPLICATION}' means a profile of your account; write its ARN as routing"
        raise CatalogError(message, key="routing")
    if chosen not in model.routings:
        message = f"'{chosen}' is not offered for {model.name} (offered: {', '.join(model.routings)})"
        raise CatalogError(message, key="routing")
    return chosen


def _one_region(reference: Reference, region: str | None) -> str | None:
    if reference.region and region and reference.region != region:
        message = f"the ARN says '{reference.region}' but region says '{region}'; drop region"
        raise CatalogError(message, key="region")
    return reference.region or region


def distinguish(targets: Sequence[Target]) -> tuple[Target, ...]:
    """Make names unique: if targets share a name, add the profile, client, Region or mode in which they differ.

    Labels do not change. Targets that still share a name need a label.
    """
    named = tuple(targets)
    for part in (_profile, _client, _region, _mode):
        parts_of: dict[str, set[str]] = {}
        for target in named:
            parts_of.setdefault(target.name, set()).add(part(target))
        named = tuple(
            structs.replace(target, name=f"{target.name}/{part(target)}")
            if len(parts_of[target.name]) > 1 and part(target) and not _is_labelled(target)
            else target
            for target in named
        )
    return named


def _profile(target: Target) -> str:
    """The id of an application profile. Empty for any other target."""
    return target.model_id.rpartition("/")[2] if ":application-inference-profile/" in target.model_id else ""


def _client(target: Target) -> str:
    return target.client


def _region(target: Target) -> str:
    return target.region


def _mode(target: Target) -> str:
    return "stream" if target.stream else "whole"


def _is_labelled(target: Target) -> bool:
    return not target.name.startswith(_default_name(target.model, target.routing, target.api))


def target_warnings(target: Target, *, today: date) -> tuple[str, ...]:
    """Warnings before a run: a model near its end of life, an unconfirmed routing, a beta that has ended."""
    model = find_model(target.base_model)
    warnings = (
        lifecycle_warning(model, today),
        mantle_warning(model) if target.api == "mantle" else _routing_warning(model, target),
        long_context_warning(model, target.options.beta, today),
    )
    return tuple(warning for warning in warnings if warning)


def _routing_warning(model: Model, target: Target) -> str | None:
    if target.routing == APPLICATION:
        return (
            f"the origin of {target.model_id} is not known, so it is priced as regional; if you know it, name it "
            f"beside the ARN, for example `model: {model_id(model.base_id, next(iter(model.routings)))}`"
        )
    fact = model.routings[target.routing]
    if fact.value:
        return None
    return (
        f"'{target.routing}' for {target.model} is known only from {fact.source} ({fact.as_of}); no fresher "
        f"source names a Region for it, so AWS may refuse it: `harness models {target.model}` shows the others"
    )
