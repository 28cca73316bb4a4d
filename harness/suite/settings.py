"""Load, retries, quota, timeouts and SLOs: from what is written, with units, to seconds and rates."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec

from harness.suite.file import LoadEntry, QuotaEntry, RetriesEntry, SloEntry, SuiteFile, TimeoutsEntry
from harness.suite.gate_entry import BY_TAG, GateEntry
from harness.suite.mistakes import KeyPath, Mistake
from harness.suite.schema import Load, Prompt, Quota, Retries, Slo, Timeouts
from harness.suite.structure import unknown_word
from harness.suite.units import parse_duration, parse_rate

ARRIVAL_KEYS = {"closed": ("concurrency", "paired"), "constant": ("rate",)}
"""Arrival process → the keys that only it takes; the others belong to every load."""


def make_load(entry: LoadEntry | None) -> Load:
    """The loaded load; `closed` with eight slots where the file says nothing."""
    if entry is None:
        return Load()
    rate_per_s = None if entry.rate is None else parse_rate(entry.rate)
    duration_s = None if entry.duration is None else parse_duration(entry.duration)
    kept = _given(entry, "arrival", "concurrency", "paired", "repeats", "warmup")
    return Load(rate_per_s=rate_per_s, duration_s=duration_s, **kept)


def make_retries(entry: RetriesEntry | None) -> Retries:
    """The loaded retries; one attempt where the file says nothing."""
    if entry is None:
        return Retries()
    kept = _given(entry, "max_attempts") | _seconds(entry, "base", "cap")
    return Retries(**kept) if entry.on is None else Retries(on=tuple(dict.fromkeys(entry.on)), **kept)


def make_quota(entry: QuotaEntry | None) -> Quota:
    """The loaded client-side cap."""
    return Quota() if entry is None else Quota(requests_per_minute=entry.requests_per_minute)


def make_timeouts(entry: TimeoutsEntry | None) -> Timeouts:
    """The loaded deadlines."""
    return Timeouts() if entry is None else Timeouts(**_seconds(entry, "connect", "first_token", "total"))


def make_slo(entry: SloEntry | None) -> Slo:
    """The loaded service-level objectives."""
    return Slo() if entry is None else Slo(**_seconds(entry, "ttft", "e2e"))


def gate_mistakes(entry: GateEntry | None, prompts: Sequence[Prompt]) -> list[Mistake]:
    """Tags of the gate that no prompt has."""
    tags = list(dict.fromkeys(tag for prompt in prompts for tag in prompt.tags))
    named = {} if entry is None else entry.pass_rate_by_tag or {}
    return [
        Mistake(("gate", BY_TAG, tag), unknown_word(tag, tags) if tags else f"no prompt has the tag {tag!r}, or any")
        for tag in named
        if tag not in tags
    ]


def settings_mistakes(file: SuiteFile, broken: AbstractSet[KeyPath] = frozenset()) -> list[Mistake]:
    """What is wrong with these sections beyond their structure.

    `broken`: the structural mistakes' places. Of a section with some, only what holds however they are mended is told.
    """
    mistakes = _load_mistakes(file.load, _broken_keys(broken, "load"))
    timeouts = make_timeouts(file.timeouts)
    if timeouts.first_token_s > timeouts.total_s and _broken_keys(broken, "timeouts") <= {"connect"}:
        told = f"first_token ({timeouts.first_token_s:g} s) is longer than total ({timeouts.total_s:g} s)"
        mistakes.append(Mistake(("timeouts",), told))
    return mistakes


def _broken_keys(broken: AbstractSet[KeyPath], section: str) -> set[str | int]:
    return {path[1] for path in broken if path[:1] == (section,) and len(path) > 1}


def _load_mistakes(load: LoadEntry | None, broken: AbstractSet[str | int]) -> list[Mistake]:
    """An unknown key may be any other, so that with one among the `broken` keys nothing is sure."""
    if load is None or not broken <= set(LoadEntry.__struct_fields__) - {"arrival"}:
        return []
    mistakes = []
    for arrival, keys in ARRIVAL_KEYS.items():
        for key in keys:
            if arrival != load.arrival and (getattr(load, key) is not None or key in broken):
                told = f"only arrival {arrival!r} takes {key!r}, and this load is {load.arrival!r}"
                mistakes.append(Mistake(("load", key), told))
    if load.arrival == "constant" and load.rate is None and "rate" not in broken:
        mistakes.append(Mistake(("load",), "arrival 'constant' needs a rate; write for example rate: 5/s"))
    return mistakes


def _given(entry: msgspec.Struct, *names: str) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in names if getattr(entry, name) is not None}


def _seconds(entry: msgspec.Struct, *names: str) -> dict[str, float]:
    """Durations that are given, by the loaded type's name: `base` → `base_s`."""
    return {f"{name}_s": parse_duration(written) for name, written in _given(entry, *names).items()}
