"""How long a log is kept: what S3's lifecycle rules mean for the objects under a prefix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How long a log is kept."""

    days: int | None = None
    """None: it does not expire, unless `unread` says that nobody knows."""
    unread: str | None = None
    """Why it could not be read."""


def bucket_retention(rules: Iterable[Mapping[str, Any]], prefix: str) -> Retention:
    """`rules` of GetBucketLifecycleConfiguration: the first of them to delete what lies under `prefix` counts."""
    days = [
        rule["Expiration"]["Days"]
        for rule in rules
        if rule.get("Status") == "Enabled" and "Days" in rule.get("Expiration", {}) and _covers(rule, prefix)
    ]
    return Retention(days=min(days, default=None))


def _covers(rule: Mapping[str, Any], prefix: str) -> bool:
    """Whether a rule reaches some of the log's objects, which carry no tags."""
    chosen = rule.get("Filter", {})
    together = chosen.get("And", chosen)
    if together.get("Tag") or together.get("Tags"):
        return False
    reach = together.get("Prefix") or rule.get("Prefix") or ""
    return prefix.startswith(reach) or reach.startswith(prefix)
