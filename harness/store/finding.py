"""A warning with its remedy, stored in the manifest and shown in every report."""

from __future__ import annotations

import msgspec


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a run and how to fix it. `invalidates`: the run is invalid (exit code 4).

    `target`: it is wrong with this target alone, whose figures are partial; the others may be compared.
    """

    what: str
    remedy: str
    invalidates: bool = False
    target: str | None = None
