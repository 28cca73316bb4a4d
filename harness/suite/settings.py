"""Retries, timeouts, SLOs and gate: from what is written, with units, to seconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec

from harness.suite.grammar.file import RetriesEntry, SloEntry, SuiteFile, TimeoutsEntry
from harness.suite.grammar.gate import BY_TAG, GateEntry
from harness.suite.grammar.mistakes import KeyPath, Mistake
from harness.suite.grammar.structure import unknown_word
from harness.suite.grammar.units import LONGEST_S, parse_duration
from harness.suite.load_settings import load_mistakes
from harness.suite.suite import Prompt, Retries, Slo, Timeouts

DURATIONS = {
    "load": ("duration",),
    "retries": ("base", "cap"),
    "timeouts": ("connect", "first_token", "total"),
    "slo": ("ttft", "e2e"),
}
"""Section → its keys that are durations."""


def make_retries(entry: RetriesEntry | None) -> Retries:
    """The loaded retries; one attempt where the file says nothing."""
    if entry is None:
        return Retries()
    kept = _given(entry, "max_attempts") | _seconds(entry, "base", "cap")
    return Retries(**kept) if entry.on is None else Retries(on=tuple(dict.fromkeys(entry.on)), **kept)


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
    mistakes = [*load_mistakes(file.load, _broken_keys(broken, "load")), *_endless(file)]
    timeouts = make_timeouts(file.timeouts)
    if timeouts.first_token_s > timeouts.total_s and _broken_keys(broken, "timeouts") <= {"connect"}:
        told = f"first_token ({timeouts.first_token_s:g} s) is longer than total ({timeouts.total_s:g} s)"
        mistakes.append(Mistake(("timeouts",), told))
    return mistakes


def _endless(file: SuiteFile) -> Iterator[Mistake]:
    """Durations of more than a year."""
    written: list[tuple[KeyPath, str | None]] = []
    for section, keys in DURATIONS.items():
        entry = getattr(file, section)
        written += [((section, key), getattr(entry, key)) for key in keys if entry is not None]
    steps = enumerate(file.load.steps or () if file.load is not None else ())
    written += [(("load", "steps", at, "duration"), step.duration) for at, step in steps]
    for path, duration in written:
        if duration is not None and parse_duration(duration) > LONGEST_S:
            yield Mistake(path, f"must be at most {LONGEST_S / 3600:,.0f}h, a year, got {duration}")


def _broken_keys(broken: AbstractSet[KeyPath], section: str) -> set[str | int]:
    return {path[1] for path in broken if path[:1] == (section,) and len(path) > 1}


def _given(entry: msgspec.Struct, *names: str) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in names if getattr(entry, name) is not None}


def _seconds(entry: msgspec.Struct, *names: str) -> dict[str, float]:
    """Durations that are given, by the loaded type's name: `base` → `base_s`."""
    return {f"{name}_s": parse_duration(written) for name, written in _given(entry, *names).items()}
