"""What is checked of each target before a run: offered, by which route, access granted, not at its end."""

from __future__ import annotations

from datetime import date

from harness.catalog.live import live_facts
from harness.catalog.models import Model, find_model, known_models, lifecycle_warning
from harness.catalog.names import IN_REGION
from harness.catalog.target import Target
from harness.clock import utc_now
from harness.endpoints.account.errors import AccountError
from harness.load.preflight.diagnosis import Diagnosis, unknown
from harness.load.preflight.facts import RegionFacts, profiles_of


def check_offered(target: Target, facts: RegionFacts) -> Diagnosis:
    """Whether the Region lists the model, or a profile of it."""
    if not isinstance(facts.models, AccountError) and target.base_model in facts.models:
        return Diagnosis(check="offered", status="ok", told=f"{target.base_model} is listed in {facts.region}")
    profiles = profiles_of(target.base_model, facts)
    if profiles:
        told = f"{target.base_model} is offered in {facts.region} through {', '.join(profiles)}"
        return Diagnosis(check="offered", status="ok", told=told)
    for error in (facts.models, facts.profiles):
        if isinstance(error, AccountError):
            return unknown("offered", error)
    return Diagnosis(
        check="offered",
        status="problem",
        told=f"{target.base_model} is not offered in {facts.region}",
        remedy=f"name another Region or model; `harness models {target.model}` shows where it is offered",
    )


def check_route(target: Target, facts: RegionFacts) -> Diagnosis:
    """Whether the id that goes on the wire can be called: a bare id on demand, any other as an active profile."""
    if target.api == "mantle":
        return Diagnosis(check="route", status="ok", told="bedrock-mantle takes the model's own id")
    return _on_demand(target, facts) if target.routing == IN_REGION else _profile(target, facts)


def _on_demand(target: Target, facts: RegionFacts) -> Diagnosis:
    if isinstance(facts.models, AccountError):
        return unknown("route", facts.models)
    if "ON_DEMAND" in facts.models.get(target.base_model, {}).get("inferenceTypesSupported", ()):
        return Diagnosis(check="route", status="ok", told="on demand, by its bare id")
    offered = profiles_of(target.base_model, facts)
    return Diagnosis(
        check="route",
        status="problem",
        told=f"{target.base_model} cannot be called by its bare id in {facts.region}",
        remedy=f"use a profile: {', '.join(offered)}" if offered else "use a routing that goes through a profile",
    )


def _profile(target: Target, facts: RegionFacts) -> Diagnosis:
    if isinstance(facts.profiles, AccountError):
        return unknown("route", facts.profiles)
    names = ("inferenceProfileId", "inferenceProfileArn")
    found = next((each for each in facts.profiles if target.model_id in (each.get(name) for name in names)), None)
    if found is not None and found.get("status") == "ACTIVE":
        regions = sorted({arn["modelArn"].split(":")[3] for arn in found["models"]})
        served = "any Region" if "" in regions else ", ".join(regions)
        return Diagnosis(check="route", status="ok", told=f"profile {found['inferenceProfileId']}, served in {served}")
    others = [each for each in profiles_of(target.base_model, facts) if each != target.model_id]
    return Diagnosis(
        check="route",
        status="problem",
        told=f"{target.model_id} is not an active inference profile in {facts.region}",
        remedy=f"active there: {', '.join(others)}" if others else "name another Region or routing",
    )


def check_access(target: Target, facts: RegionFacts) -> Diagnosis:
    """Whether this account may call the model."""
    access = facts.access[target.base_model]
    if access.unknown is not None:
        return unknown("access", access.unknown)
    if not access.lacking:
        return Diagnosis(check="access", status="ok", told=f"this account may call {target.base_model}")
    return Diagnosis(
        check="access",
        status="problem",
        told=f"this account may not call {target.base_model} ({', '.join(access.lacking)})",
        remedy=f"request access: Bedrock console → Model access, in {facts.region}",
    )


def check_lifecycle(target: Target, facts: RegionFacts) -> Diagnosis:
    """How long the model has yet, from what AWS says today over what the catalog knows."""
    today = utc_now().date()
    model = _as_of(today, target.base_model, facts)
    warning = lifecycle_warning(model, today)
    if warning is None:
        ends = f"; ends {model.end_of_life.value}" if model.end_of_life else ""
        return Diagnosis(check="lifecycle", status="ok", told=f"{model.name} is active{ends}")
    told, _, remedy = warning.rpartition("; ")
    ended = model.end_of_life is not None and model.end_of_life.value <= today
    return Diagnosis(check="lifecycle", status="problem" if ended else "warning", told=told, remedy=remedy)


def _as_of(today: date, base_model: str, facts: RegionFacts) -> Model:
    """The catalog's model under what the account says of it in this Region."""
    if isinstance(facts.models, AccountError) or isinstance(facts.profiles, AccountError):
        return find_model(base_model)
    live = live_facts(facts.models.values(), facts.profiles, region=facts.region, as_of=today)
    known = (model for model in known_models(live) if model.base_id == base_model)
    return next(known, None) or find_model(base_model)
