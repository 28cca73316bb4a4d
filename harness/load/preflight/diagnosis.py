"""A thing that was looked at before a run: what was found, how bad it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from harness.endpoints.account.errors import AccountError, NotPermitted

Status = Literal["ok", "warning", "problem", "unknown"]
"""`problem`: the run would be invalid or incomplete. `unknown`: the account would not say."""


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """One check. `target` None: it concerns the account."""

    target: str | None = None
    check: str
    status: Status
    told: str
    remedy: str | None = None


def unknown(check: str, error: AccountError, *, target: str | None = None) -> Diagnosis:
    """A check that the account gave no answer to."""
    remedy = f"allow {error.action} for these credentials" if isinstance(error, NotPermitted) else None
    return Diagnosis(target=target, check=check, status="unknown", told=f"cannot tell: {error}", remedy=remedy)


def is_fit(diagnoses: Iterable[Diagnosis]) -> bool:
    """Whether nothing was found that would make a run invalid or incomplete."""
    return all(each.status != "problem" for each in diagnoses)
