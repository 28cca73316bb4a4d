"""Which of the account's quotas holds for a target: Service Quotas names models in words, never by id."""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.catalog.names import IN_REGION, short_name
from harness.catalog.target import Target
from harness.endpoints.account.account import QuotaValue

_DAY = "tokens per day"
_MINUTE = "tokens per minute"
_LONG_CONTEXT = frozenset({"1m", "context", "length"})
_VERSION = re.compile(r"v(\d+)(?::\d+)?")


def minute_quota(target: Target, quotas: Iterable[QuotaValue]) -> QuotaValue | None:
    """The tokens-per-minute quota that admits this target's requests; None: none has such a name."""
    found = [each for each in quotas if _MINUTE in each.name.lower() and _kind(each.name) == _kind_of(target)]
    long = any(beta.startswith("context-1m") for beta in target.options.beta or ())
    preferred = [_LONG_CONTEXT, frozenset[str]()] if long else [frozenset[str]()]
    wanted = _words_of(target)
    return next((each for more in preferred for each in found if _words(each.name) == wanted | more), None)


def day_quotas(target: Target, quotas: Iterable[QuotaValue]) -> list[QuotaValue]:
    """The tokens-per-day quotas of the target's model."""
    return [each for each in quotas if _DAY in each.name.lower() and _words(each.name) == _words_of(target)]


def _kind(name: str) -> str:
    """`Global cross-region model inference tokens per minute for …` → `global`."""
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
    """`… for Anthropic Claude Sonnet 4.5 V1` → {claude, sonnet, 4.5}: a first version goes without saying."""
    words = name.lower().partition(" (")[0].rpartition(" for ")[2].split()
    return frozenset(_VERSION.sub(r"v\1", word) for word in words) - {"anthropic", "v1"}


def _words_of(target: Target) -> frozenset[str]:
    """`anthropic.claude-3-5-sonnet-20241022-v2:0` → {claude, 3.5, sonnet, v2}."""
    name = re.sub(r"(?<=-\d)-(?=\d(?:-|$))", ".", short_name(target.base_model))
    version = re.search(r"-(v\d+)(?::\d+)?$", target.base_model)
    return frozenset([*name.split("-"), version[1] if version else "v1"]) - {"v1"}
