"""Compares the account's token quotas with the suite's load, matching models by the names in Service Quotas."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from harness.catalog.names import IN_REGION, short_name
from harness.catalog.target import Target
from harness.endpoints.account.account import QuotaValue
from harness.endpoints.account.errors import AccountError
from harness.load.preflight.facts import Diagnosis, unknown
from harness.load.reservation import Reservation, reservations
from harness.suite.suite import Suite

_DAY = "tokens per day"
_MINUTE = "tokens per minute"
_LONG_CONTEXT = frozenset({"1m", "context", "length"})
_VERSION = re.compile(r"v(\d+)(?::\d+)?")


def minute_quota(target: Target, quotas: Iterable[QuotaValue]) -> QuotaValue | None:
    """The tokens-per-minute quota of a target. None: no quota has a matching name."""
    candidates = [each for each in quotas if _MINUTE in each.name.lower() and _kind(each.name) == _kind_of(target)]
    long = any(beta.startswith("context-1m") for beta in target.options.beta or ())
    preferred = [_LONG_CONTEXT, frozenset[str]()] if long else [frozenset[str]()]
    words = _words_of(target)
    return next((each for more in preferred for each in candidates if _words(each.name) == words | more), None)


def day_quotas(target: Target, quotas: Iterable[QuotaValue]) -> list[QuotaValue]:
    """The tokens-per-day quotas of a target's model."""
    return [each for each in quotas if _DAY in each.name.lower() and _words(each.name) == _words_of(target)]


def _kind(name: str) -> str:
    """`Global cross-region model inference tokens per minute for …` → `global`. Empty: unknown."""
    first = name.lower()
    kinds = {"global cross-region": "global", "cross-region": "geography", "on-demand": IN_REGION}
    if first.startswith("bedrock mantle"):
        return "mantle" if "input tokens" in first else "mantle output"
    return next((kind for start, kind in kinds.items() if first.startswith(start)), "")


def _kind_of(target: Target) -> str:
    if target.api == "mantle":
        return "mantle"
    return target.routing if target.routing in ("global", IN_REGION) else "geography"


def _words(name: str) -> frozenset[str]:
    """`… for Anthropic Claude Sonnet 4.5 V1` → {claude, sonnet, 4.5}; V1 is implied."""
    words = name.lower().partition(" (")[0].rpartition(" for ")[2].split()
    return frozenset(_VERSION.sub(r"v\1", word) for word in words) - {"anthropic", "v1"}


def _words_of(target: Target) -> frozenset[str]:
    """`anthropic.claude-3-5-sonnet-20241022-v2:0` → {claude, 3.5, sonnet, v2}."""
    name = re.sub(r"(?<=-\d)-(?=\d(?:-|$))", ".", short_name(target.base_model))
    version = re.search(r"-(v\d+)(?::\d+)?$", target.base_model)
    return frozenset([*name.split("-"), version[1] if version else "v1"]) - {"v1"}


_RAISE = "request an increase: Service Quotas console → Amazon Bedrock"


def check_quotas(suite: Suite, quotas: Mapping[str, list[QuotaValue] | AccountError]) -> dict[str, Diagnosis]:
    """One diagnosis for each target, by name. `quotas`: by Region. The load of targets that share a quota is summed."""
    by_name = {each.target: each for each in reservations(suite)}
    sharing: dict[tuple[str, str], list[Reservation]] = {}
    by_target: dict[str, QuotaValue] = {}
    for target in suite.targets:
        known = quotas[target.region]
        quota = None if isinstance(known, AccountError) else minute_quota(target, known)
        if quota is not None:
            by_target[target.name] = quota
            sharing.setdefault((target.region, quota.name), []).append(by_name[target.name])
    return {
        target.name: _check(target, quotas[target.region], by_target.get(target.name), sharing)
        for target in suite.targets
    }


def _check(
    target: Target,
    known: list[QuotaValue] | AccountError,
    quota: QuotaValue | None,
    sharing: Mapping[tuple[str, str], list[Reservation]],
) -> Diagnosis:
    if isinstance(known, AccountError):
        return unknown("quota", known, target=target.name)
    zero = next((each for each in [quota, *day_quotas(target, known)] if each is not None and each.value == 0), None)
    if zero is not None:
        message = f"the quota {zero.name!r} is 0 in {target.region}, so every request will be throttled"
        return Diagnosis(target=target.name, check="quota", status="problem", message=message, remedy=_RAISE)
    if quota is None:
        return Diagnosis(
            target=target.name,
            check="quota",
            status="unknown",
            message=f"no tokens-per-minute quota in {target.region} has this model's name",
            remedy="look it up in the Service Quotas console, Amazon Bedrock",
        )
    return _compare(target, quota, sharing[target.region, quota.name])


def _compare(target: Target, quota: QuotaValue, sharing: list[Reservation]) -> Diagnosis:
    reserved = sum(each.reserved_per_minute for each in sharing)
    settled = sum(each.settled_per_minute_at_most for each in sharing)
    message = f"reserves {reserved:,.0f} tokens/min and is charged at most {settled:,.0f}, of {quota.value:,.0f}"
    message += f" ({quota.name}"
    message += f"; {len(sharing)} targets share it)" if len(sharing) > 1 else ")"
    assumed = next((each.assumed_e2e_s for each in sharing if each.assumed_e2e_s is not None), None)
    if assumed is not None:
        message += f", assuming {assumed:g} s per answer"
    most = max(reserved, settled)
    if most <= quota.value:
        return Diagnosis(target=target.name, check="quota", status="ok", message=message)
    share = quota.value / len(sharing)
    remedy = f"lower max_tokens or the load, cap it (quota: {{tokens_per_minute: {share:.0f}}}), or {_RAISE}"
    return Diagnosis(target=target.name, check="quota", status="warning", message=message, remedy=remedy)
