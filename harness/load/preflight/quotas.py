"""The account's token quotas against what the suite's load will take of them."""

from __future__ import annotations

from collections.abc import Mapping

from harness.catalog.target import Target
from harness.endpoints.account.account import QuotaValue
from harness.endpoints.account.errors import AccountError
from harness.load.preflight.diagnosis import Diagnosis, unknown
from harness.load.preflight.quota_names import day_quotas, minute_quota
from harness.load.reservation import Reservation, reservations
from harness.suite.suite import Suite

_RAISE = "ask for more: Service Quotas console → Amazon Bedrock"


def check_quotas(suite: Suite, quotas: Mapping[str, list[QuotaValue] | AccountError]) -> dict[str, Diagnosis]:
    """One diagnosis for each target, by name. `quotas`: by Region. Targets that share a quota are added up."""
    taken = {each.target: each for each in reservations(suite)}
    sharing: dict[tuple[str, str], list[Reservation]] = {}
    found: dict[str, QuotaValue] = {}
    for target in suite.targets:
        known = quotas[target.region]
        quota = None if isinstance(known, AccountError) else minute_quota(target, known)
        if quota is not None:
            found[target.name] = quota
            sharing.setdefault((target.region, quota.name), []).append(taken[target.name])
    return {
        target.name: _check(target, quotas[target.region], found.get(target.name), sharing) for target in suite.targets
    }


def _check(
    target: Target,
    known: list[QuotaValue] | AccountError,
    quota: QuotaValue | None,
    sharing: Mapping[tuple[str, str], list[Reservation]],
) -> Diagnosis:
    if isinstance(known, AccountError):
        return unknown("quota", known, target=target.name)
    nothing = next((each for each in [quota, *day_quotas(target, known)] if each is not None and each.value == 0), None)
    if nothing is not None:
        told = f"the quota {nothing.name!r} is 0 in {target.region}: every request will be throttled"
        return Diagnosis(target=target.name, check="quota", status="problem", told=told, remedy=_RAISE)
    if quota is None:
        return Diagnosis(
            target=target.name,
            check="quota",
            status="unknown",
            told=f"no tokens-per-minute quota of {target.region} has this model's name",
            remedy="look it up in the Service Quotas console, Amazon Bedrock",
        )
    return _compare(target, quota, sharing[target.region, quota.name])


def _compare(target: Target, quota: QuotaValue, takers: list[Reservation]) -> Diagnosis:
    reserved = sum(each.reserved_per_minute for each in takers)
    settled = sum(each.settled_per_minute_at_most for each in takers)
    told = f"reserves {reserved:,.0f} tokens a minute, is charged at most {settled:,.0f}, of {quota.value:,.0f}"
    told += f" ({quota.name}"
    told += f"; {len(takers)} targets share it)" if len(takers) > 1 else ")"
    assumed = next((each.assumed_e2e_s for each in takers if each.assumed_e2e_s is not None), None)
    if assumed is not None:
        told += f"; if an answer takes {assumed:g} s"
    most = max(reserved, settled)
    if most <= quota.value:
        return Diagnosis(target=target.name, check="quota", status="ok", told=told)
    share = quota.value / len(takers)
    remedy = f"lower max_tokens or the load, cap it (quota: {{tokens_per_minute: {share:.0f}}}), or {_RAISE}"
    return Diagnosis(target=target.name, check="quota", status="warning", told=told, remedy=remedy)
