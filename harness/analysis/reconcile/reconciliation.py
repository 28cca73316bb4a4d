"""The result of matching a run with the invocation log: the content of `reconcile.json`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

EXAMPLES = 50
"""Most details of each kind that are stored; all are counted."""

Reason = Literal[
    "not_sent", "no_request_id", "throttled", "failed", "other_endpoint", "logging_off", "log_delay", "missing"
]
REASONS: dict[Reason, str] = {
    "not_sent": "were never sent: the connection failed, or the run was stopped first",
    "no_request_id": "were sent but got no reply, so their request ids are unknown",
    "throttled": "were throttled: Bedrock does not always log throttled calls",
    "failed": "failed: Bedrock does not log every failed call",
    "other_endpoint": "went to bedrock-mantle, but the log only covers bedrock-runtime",
    "logging_off": "were answered, but the log is empty for that time: logging may be off or go elsewhere",
    "log_delay": "were answered so recently that the log may not have them yet; try again in 15 minutes",
    "missing": "were answered but are not in the log",
}
"""Why an attempt is not in the log."""
DISAGREEING: tuple[Reason, ...] = ("logging_off", "log_delay", "missing")
"""Reasons for which run and log disagree: an answered call must be in the log."""


class Unlogged(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that is not in the log."""

    attempt_id: str
    target: str
    aws_request_id: str | None
    reason: Reason
    error_kind: str | None


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a call that differs between run and log."""

    attempt_id: str
    target: str
    aws_request_id: str
    what: str
    """A column of the attempts, or `error_code`."""
    run: float | str | None
    log: float | str | None


class Foreign(msgspec.Struct, frozen=True, kw_only=True):
    """A record of the run's time and models whose request id no attempt has."""

    aws_request_id: str
    at: str
    model_id: str
    region: str
    identity: str | None


class TargetMatch(msgspec.Struct, frozen=True, kw_only=True):
    """One target against the log."""

    target: str
    attempts: int
    logged: int
    unlogged: dict[Reason, int]
    differing: int
    """Attempts with at least one difference."""
    cost_usd: float | None
    """By the run, of the attempts in the log. None: known for none."""
    logged_cost_usd: float | None
    """The same attempts by the log's token counts at today's prices. None: no price is known."""
    unseen_cost_usd: float
    """By the log, of calls whose reply the run did not receive completely: billed all the same."""
    served_in: dict[str, int]
    """Serving Region → attempts, most frequent first."""


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """`reconcile.json`."""

    run_id: str
    simulated: bool
    sources: tuple[str, ...]
    without_log: tuple[str, ...]
    """Regions of the run without a log in this account."""
    since: datetime
    until: datetime
    records: int
    """Distinct records of the window, from any caller."""
    broken: int
    """Lines of the log that could not be read."""
    broken_places: tuple[str, ...]
    targets: list[TargetMatch]
    unlogged: list[Unlogged]
    """The disagreeing ones first, at most EXAMPLES."""
    differences: list[Difference]
    """At most EXAMPLES."""
    other_traffic: int
    """Records of the run's models by other callers."""
    unanswered: int
    """Records by the run's own caller that match attempts without a request id in number."""
    not_in_run: int
    """Records by the run's own caller that remain unexplained."""
    foreign: list[Foreign]
    """Of the last two kinds, at most EXAMPLES."""
    agrees: bool
    """Every answered call is in the log, nothing differs, and no call of the run's caller is unexplained."""


class LogRead(msgspec.Struct, frozen=True, kw_only=True):
    """How the log was read: where, over which time, and what could not be read of it."""

    sources: tuple[str, ...]
    without_log: tuple[str, ...] = ()
    since: datetime
    until: datetime
    broken: int = 0
    broken_places: tuple[str, ...] = ()
