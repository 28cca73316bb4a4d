"""The preflight: checks whether a suite can run with this account, before it costs anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import date

import msgspec

from harness.catalog.live import live_facts
from harness.catalog.models import Model, find_model, known_models, lifecycle_warning
from harness.catalog.names import IN_REGION
from harness.catalog.target import Target
from harness.clock import utc_now
from harness.endpoints.account.account import Account, LoggingConfig
from harness.endpoints.account.errors import AccountError, NotPermitted
from harness.load.preflight.facts import Diagnosis, RegionFacts, gather_facts, profiles_of, unknown
from harness.load.preflight.quotas import check_quotas
from harness.suite.suite import Suite


def check_offered(target: Target, facts: RegionFacts) -> Diagnosis:
    """Whether the Region lists the model or one of its profiles."""
    if not isinstance(facts.models, AccountError) and target.base_model in facts.models:
        return Diagnosis(check="offered", status="ok", message=f"{target.base_model} is listed in {facts.region}")
    profiles = profiles_of(target.base_model, facts)
    if profiles:
        message = f"{target.base_model} is offered in {facts.region} through {', '.join(profiles)}"
        return Diagnosis(check="offered", status="ok", message=message)
    for error in (facts.models, facts.profiles):
        if isinstance(error, AccountError):
            return unknown("offered", error)
    return Diagnosis(
        check="offered",
        status="problem",
        message=f"{target.base_model} is not offered in {facts.region}",
        remedy=f"name another Region or model; `harness models {target.model}` shows where it is offered",
    )


def check_route(target: Target, facts: RegionFacts) -> Diagnosis:
    """Whether the id on the wire can be called: a bare id on demand, any other id as an active profile."""
    if target.api == "mantle":
        return Diagnosis(check="route", status="ok", message="bedrock-mantle accepts the bare model id")
    return _on_demand(target, facts) if target.routing == IN_REGION else _profile(target, facts)


def _on_demand(target: Target, facts: RegionFacts) -> Diagnosis:
    if isinstance(facts.models, AccountError):
        return unknown("route", facts.models)
    if "ON_DEMAND" in facts.models.get(target.base_model, {}).get("inferenceTypesSupported", ()):
        return Diagnosis(check="route", status="ok", message="on demand, by its bare id")
    offered = profiles_of(target.base_model, facts)
    return Diagnosis(
        check="route",
        status="problem",
        message=f"{target.base_model} cannot be called by its bare id in {facts.region}",
        remedy=f"use a profile: {', '.join(offered)}" if offered else "use a routing with an inference profile",
    )


def _profile(target: Target, facts: RegionFacts) -> Diagnosis:
    if isinstance(facts.profiles, AccountError):
        return unknown("route", facts.profiles)
    names = ("inferenceProfileId", "inferenceProfileArn")
    profile = next((each for each in facts.profiles if target.model_id in (each.get(name) for name in names)), None)
    if profile is not None and profile.get("status") == "ACTIVE":
        regions = sorted({arn["modelArn"].split(":")[3] for arn in profile["models"]})
        served = "any Region" if "" in regions else ", ".join(regions)
        return Diagnosis(
            check="route", status="ok", message=f"profile {profile['inferenceProfileId']}, served in {served}"
        )
    others = [each for each in profiles_of(target.base_model, facts) if each != target.model_id]
    return Diagnosis(
        check="route",
        status="problem",
        message=f"{target.model_id} is not an active inference profile in {facts.region}",
        remedy=f"active there: {', '.join(others)}" if others else "name another Region or routing",
    )


def check_access(target: Target, facts: RegionFacts) -> Diagnosis:
    """Whether this account may call the model."""
    access = facts.access[target.base_model]
    if access.unknown is not None:
        return unknown("access", access.unknown)
    if not access.lacking:
        return Diagnosis(check="access", status="ok", message=f"this account may call {target.base_model}")
    return Diagnosis(
        check="access",
        status="problem",
        message=f"this account may not call {target.base_model} ({', '.join(access.lacking)})",
        remedy=f"request access: Bedrock console → Model access, in {facts.region}",
    )


def check_lifecycle(target: Target, facts: RegionFacts) -> Diagnosis:
    """Whether the model is near its end of life, by the account's answer today, else by the catalog."""
    today = utc_now().date()
    model = _as_of(today, target.base_model, facts)
    warning = lifecycle_warning(model, today)
    if warning is None:
        ends = f"; ends {model.end_of_life.value}" if model.end_of_life else ""
        return Diagnosis(check="lifecycle", status="ok", message=f"{model.name} is active{ends}")
    message, _, remedy = warning.rpartition("; ")
    ended = model.end_of_life is not None and model.end_of_life.value <= today
    return Diagnosis(check="lifecycle", status="problem" if ended else "warning", message=message, remedy=remedy)


def _as_of(today: date, base_model: str, facts: RegionFacts) -> Model:
    """The catalog's model, updated with the account's answer in this Region."""
    if isinstance(facts.models, AccountError) or isinstance(facts.profiles, AccountError):
        return find_model(base_model)
    live = live_facts(facts.models.values(), facts.profiles, region=facts.region, as_of=today)
    known = (model for model in known_models(live) if model.base_id == base_model)
    return next(known, None) or find_model(base_model)


KEEP_DAYS = 30
"""The provider recommends keeping the invocation log for at least 30 days."""
TARGET_CHECKS = (check_offered, check_route, check_access, check_lifecycle)


async def examine(
    suite: Suite, account_for_region: Callable[[str], AbstractAsyncContextManager[Account]]
) -> list[Diagnosis]:
    """All diagnoses for a suite: the account, then each Region, each target and each judge.

    Sends no prompts and costs nothing. BadCredentials, AccountError: the account did not answer.
    """
    models: dict[str, dict[str, None]] = {}
    judges = [judge.target for judge in suite.graders.judges]
    for target in (*suite.targets, *judges):
        models.setdefault(target.region, {})[target.base_model] = None
    async with AsyncExitStack() as stack:
        accounts = {region: await stack.enter_async_context(account_for_region(region)) for region in models}
        diagnoses = [await diagnose_identity(next(iter(accounts.values())))]
        facts = {region: await gather_facts(account, models[region]) for region, account in accounts.items()}
    diagnoses += [diagnose_logging(each) for each in facts.values()]
    quotas = check_quotas(suite, {region: each.quotas for region, each in facts.items()})
    for target in suite.targets:
        diagnoses += _diagnose_target(target, facts[target.region])
        diagnoses.append(quotas[target.name])
    for judge in judges:
        diagnoses += _diagnose_target(judge, facts[judge.region])
    return diagnoses


def _diagnose_target(target: Target, facts: RegionFacts) -> list[Diagnosis]:
    return [msgspec.structs.replace(check(target, facts), target=target.name) for check in TARGET_CHECKS]


async def diagnose_identity(account: Account) -> Diagnosis:
    """The caller's identity. BadCredentials, AccountError: AWS refuses the credentials, or does not answer."""
    try:
        identity = await account.identity()
    except NotPermitted as error:
        return unknown("identity", error)
    who = f"{identity.arn} in account {identity.account}" if identity.arn else "the owner of a bearer key"
    return Diagnosis(check="identity", status="ok", message=f"{who}; credentials: {identity.source}")


def diagnose_logging(facts: RegionFacts) -> Diagnosis:
    """Whether the invocation log is on and kept for at least 30 days."""
    config, region = facts.logging, facts.region
    if isinstance(config, AccountError):
        return unknown("logging", config)
    if config is None:
        return Diagnosis(
            check="logging",
            status="warning",
            message=f"invocation logging is off in {region}",
            remedy=f"turn it on (Bedrock console → Settings) and keep {KEEP_DAYS} days; `harness reconcile` reads it",
        )
    places = list(_destinations(config))
    message = f"invocation log of {region}: {'; '.join(text for text, _, _ in places)}"
    if not config.text:
        message += "; without prompts and answers"
    if any(known and (days is None or days >= KEEP_DAYS) for _, days, known in places):
        return Diagnosis(check="logging", status="ok", message=message)
    if not all(known for _, _, known in places):
        return Diagnosis(check="logging", status="unknown", message=message)
    return Diagnosis(
        check="logging", status="warning", message=message, remedy=f"keep it for at least {KEEP_DAYS} days"
    )


def _destinations(config: LoggingConfig) -> Iterator[tuple[str, int | None, bool]]:
    """(description, days of retention, whether they are known) for each destination of the log."""
    destinations = {
        f"s3://{config.bucket}/{config.prefix}": config.bucket_retention,
        f"{config.log_group}": config.log_group_retention,
    }
    for place, retention in destinations.items():
        if retention is None:
            continue
        if retention.error:
            yield f"{place}, kept for an unknown time ({retention.error})", None, False
        else:
            days = retention.days
            yield f"{place}, kept {'forever' if days is None else f'for {days} days'}", days, True
