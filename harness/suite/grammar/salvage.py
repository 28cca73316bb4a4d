"""What is left of a suite file without its structural mistakes, so that those of meaning can be told with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from harness.suite.grammar.file import PromptEntry, SuiteFile, TargetEntry
from harness.suite.grammar.mistakes import KeyPath, Mistake

SECTIONS = dict.fromkeys(("defaults", "load", "quota", "timeouts", "slo", "gate")) | {"retries": "max_attempts"}
"""Mappings of which each readable key is kept, and the key that one cannot do without."""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A suite file's content as types. Entries come with their indices in the file; wrong ones are not there."""

    file: SuiteFile
    """Everything else: its own `targets` and `prompts` are empty."""
    targets: list[tuple[int, TargetEntry]]
    prompts: list[tuple[int, PromptEntry]]
    broken: frozenset[KeyPath] = frozenset()
    """Where the structural mistakes are: something was meant there, and is not known."""


def salvage(content: dict[str, Any], mistakes: Sequence[Mistake]) -> Written:
    """The content without what the structural mistakes are about."""
    left = _without_mistakes(content, mistakes)
    return Written(
        file=msgspec.convert({**left, "targets": [], "prompts": []}, SuiteFile),
        targets=[(at, msgspec.convert(each, TargetEntry)) for at, each in _there(left["targets"])],
        prompts=[(at, msgspec.convert(each, PromptEntry)) for at, each in _there(left.get("prompts") or [])],
        broken=frozenset(mistake.path for mistake in mistakes),
    )


def _there(entries: list[Any]) -> list[tuple[int, Any]]:
    return [(at, entry) for at, entry in enumerate(entries) if entry is not None]


def _without_mistakes(content: dict[str, Any], mistakes: Sequence[Mistake]) -> dict[str, Any]:
    """Of a section or target only the key goes, where it can do without; of the prompts only the one.

    Entries that go leave None behind, so that indices stay what they are in the file.
    """
    left: dict[str, Any] = {key: list(value) if isinstance(value, list) else value for key, value in content.items()}
    gone = set()
    for mistake in mistakes:
        match mistake.path:
            case ("targets", int(index), str(key), *_) if key != "model":
                left["targets"][index] = _without_key(left["targets"][index], key, "model")
            case ("targets" | "prompts" as name, int(index), *_):
                left[name][index] = None
            case (str(name), str(key), *_) if name in SECTIONS:
                left[name] = _without_key(left[name], key, SECTIONS[name])
            case (str(name), *_):
                gone.add(name)
    return {"suite": "unnamed", "targets": [], **{key: value for key, value in left.items() if key not in gone}}


def _without_key(entry: dict[str, Any] | None, key: str, needed: str | None) -> dict[str, Any] | None:
    """The mapping without that key; None where it lacks the one it needs too, which may be there misspelt."""
    if entry is None or key == needed or (needed is not None and needed not in entry):
        return None
    return {name: value for name, value in entry.items() if name != key}
