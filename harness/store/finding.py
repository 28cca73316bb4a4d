"""A warning with its remedy, stored in the manifest and shown in every report."""

from __future__ import annotations

import msgspec

ENDED_EARLY = "the run ended early: "
KILLED = "the run was killed during a write: "
"""How the findings begin that no longer hold once `harness run --resume` has completed the run."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a run and how to fix it. `invalidates`: the run is invalid (exit code 4).

    `target`: it is wrong with this target alone, whose figures are partial; the others may be compared.
    """

    what: str
    remedy: str
    invalidates: bool = False
    target: str | None = None


def is_settled_by_resuming(finding: Finding) -> bool:
    """Whether a finding is about requests that a run lacks until it is resumed."""
    return finding.target is not None or finding.what.startswith((ENDED_EARLY, KILLED))
