"""A warning that carries its remedy: kept in the manifest, shown by every report."""

from __future__ import annotations

import msgspec


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a run and how to mend it. `invalidates`: the run is invalid (exit code 4)."""

    what: str
    remedy: str
    invalidates: bool = False
