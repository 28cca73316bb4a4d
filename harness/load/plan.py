"""The plan: which requests a run makes, in which order. Deterministic: same suite, same seed, same plan."""

from __future__ import annotations

import msgspec


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One request of the plan."""

    request_id: str
    """`<round index>-<target index>`: unique in the run and the same for the same suite and seed."""
    target: str
    prompt_id: str
    repeat: int
    phase: str
    offset_ns: int | None
    """Due, ns after the run's start; None: when a slot frees."""


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """The requests that share a moment: one (prompt, repeat) for every target, in shuffled order."""

    index: int
    requests: tuple[Planned, ...]
