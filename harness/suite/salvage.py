"""What is left of a suite file without its structural mistakes, so that those of meaning can be told with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from harness.suite.file import PromptEntry, SuiteFile, TargetEntry
from harness.suite.mistakes import Mistake


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A suite file's content as types. Entries come with their indices in the file; wrong ones are not there."""

    file: SuiteFile
    """Everything else: its own `targets` and `prompts` are empty."""
    targets: list[tuple[int, TargetEntry]]
    prompts: list[tuple[int, PromptEntry]]


def salvage(content: dict[str, Any], mistakes: Sequence[Mistake]) -> Written:
    """The content without what the structural mistakes are about."""
    left = _without_mistakes(content, mistakes)
    return Written(
        file=msgspec.convert({**left, "targets": [], "prompts": []}, SuiteFile),
        targets=[(at, msgspec.convert(each, TargetEntry)) for at, each in _there(left["targets"])],
        prompts=[(at, msgspec.convert(each, PromptEntry)) for at, each in _there(left.get("prompts", []))],
    )


def _there(entries: list[Any]) -> list[tuple[int, Any]]:
    return [(at, entry) for at, entry in enumerate(entries) if entry is not None]


def _without_mistakes(content: dict[str, Any], mistakes: Sequence[Mistake]) -> dict[str, Any]:
    """A section goes as a whole; of a target only the key, where it can do without; of the prompts only the one.

    Entries that go leave None behind, so that indices stay what they are in the file.
    """
    left = {key: list(value) if isinstance(value, list) else value for key, value in content.items()}
    for mistake in mistakes:
        match mistake.path:
            case ("targets", int(index), str(key), *_) if key != "model":
                left["targets"][index] = _without_key(left["targets"][index], key)
            case ("targets" | "prompts" as name, int(index), *_):
                left[name][index] = None
            case (str(key), *_):
                left.pop(key, None)
    return {"suite": "unnamed", "targets": [], **left}


def _without_key(entry: dict[str, Any] | None, key: str) -> dict[str, Any] | None:
    """The target without that key; None where it has no model either, but perhaps a misspelt one."""
    return {name: value for name, value in entry.items() if name != key} if entry and "model" in entry else None
