"""The preflight: asks the account, before anything is paid for, whether a suite can run as it is meant to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import msgspec

from harness.catalog.target import Target
from harness.endpoints.account.account import Account, LoggingConfig
from harness.endpoints.account.errors import AccountError, NotPermitted
from harness.load.preflight.diagnosis import Diagnosis, unknown
from harness.load.preflight.facts import RegionFacts, gather_facts
from harness.load.preflight.quotas import check_quotas
from harness.load.preflight.targets import check_access, check_lifecycle, check_offered, check_route
from harness.suite.suite import Suite

KEEP_DAYS = 30
"""The provider recommends keeping at least a rolling 30 days of the invocation log."""
TARGET_CHECKS = (check_offered, check_route, check_access, check_lifecycle)


async def examine(
    suite: Suite, account_for_region: Callable[[str], AbstractAsyncContextManager[Account]]
) -> list[Diagnosis]:
    """Everything there is to say of a suite: the account first, then each Region, each target and each judge.

    Sends no prompt and costs nothing. BadCredentials, AccountError: the account cannot be asked at all.
    """
    models: dict[str, dict[str, None]] = {}
    judges = [judge.target for judge in suite.graders.judges]
    for target in (*suite.targets, *judges):
        models.setdefault(target.region, {})[target.base_model] = None
    async with AsyncExitStack() as stack:
        accounts = {region: await stack.enter_async_context(account_for_region(region)) for region in models}
        found = [await diagnose_identity(next(iter(accounts.values())))]
        facts = {region: await gather_facts(account, models[region]) for region, account in accounts.items()}
    found += [diagnose_logging(each) for each in facts.values()]
    quotas = check_quotas(suite, {region: each.quotas for region, each in facts.items()})
    for target in suite.targets:
        found += _diagnose_target(target, facts[target.region])
        found.append(quotas[target.name])
    for judge in judges:
        found += _diagnose_target(judge, facts[judge.region])
    return found


def _diagnose_target(target: Target, facts: RegionFacts) -> list[Diagnosis]:
    return [msgspec.structs.replace(check(target, facts), target=target.name) for check in TARGET_CHECKS]


async def diagnose_identity(account: Account) -> Diagnosis:
    """Who is asking. BadCredentials, AccountError: nobody whom AWS knows, or nobody answers."""
    try:
        identity = await account.identity()
    except NotPermitted as error:
        return unknown("identity", error)
    who = f"{identity.arn} in account {identity.account}" if identity.arn else "the owner of a bearer key"
    return Diagnosis(check="identity", status="ok", told=f"{who}; credentials: {identity.source}")


def diagnose_logging(facts: RegionFacts) -> Diagnosis:
    """Whether the invocation log is on and kept for 30 days."""
    config, region = facts.logging, facts.region
    if isinstance(config, AccountError):
        return unknown("logging", config)
    if config is None:
        return Diagnosis(
            check="logging",
            status="warning",
            told=f"invocation logging is off in {region}",
            remedy=f"turn it on (Bedrock console → Settings) and keep {KEEP_DAYS} days; `harness reconcile` reads it",
        )
    places = list(_places(config))
    told = f"invocation log of {region}: {'; '.join(told for told, _, _ in places)}"
    if not config.text:
        told += "; without prompts and answers"
    if any(known and (days is None or days >= KEEP_DAYS) for _, days, known in places):
        return Diagnosis(check="logging", status="ok", told=told)
    if not all(known for _, _, known in places):
        return Diagnosis(check="logging", status="unknown", told=told)
    return Diagnosis(check="logging", status="warning", told=told, remedy=f"keep it for at least {KEEP_DAYS} days")


def _places(config: LoggingConfig) -> Iterator[tuple[str, int | None, bool]]:
    """(what to say, days kept, whether that is known) of each place that the log goes to."""
    where = {f"s3://{config.bucket}/{config.prefix}": config.bucket_kept, f"{config.log_group}": config.log_group_kept}
    for place, kept in where.items():
        if kept is None:
            continue
        if kept.unread:
            yield f"{place}, kept for an unknown time ({kept.unread})", None, False
        else:
            yield f"{place}, kept {'for ever' if kept.days is None else f'{kept.days} days'}", kept.days, True
