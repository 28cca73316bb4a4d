"""Decodes a suite file, leaving out the parts with structural mistakes so that the rest can be checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from harness.suite.fields import read_quantity
from harness.suite.grammar.file import PromptEntry, SuiteFile, TargetEntry
from harness.suite.grammar.mistakes import KeyPath, Mistake, Mistakes
from harness.suite.grammar.structure import suite_mistakes
from harness.suite.grammar.yaml_lines import Document

T = TypeVar("T")
SECTIONS = dict.fromkeys(("defaults", "load", "quota", "timeouts", "slo", "gate")) | {
    "retries": "max_attempts",
    "stop": "max_error_rate",
}
"""Sections from which only invalid keys are dropped → the key that the section requires, if any."""


class ParsedSuite(msgspec.Struct, frozen=True, kw_only=True):
    """A suite file's content without its structural mistakes. Entries have their indices in the file."""

    document: Document
    file: SuiteFile
    """Everything but targets and prompts, which are empty here."""
    targets: list[tuple[int, TargetEntry]]
    prompts: list[tuple[int, PromptEntry]]
    broken: frozenset[KeyPath] = frozenset()
    """The paths of structural mistakes, where the intended value is unknown."""

    def keys(self, section: str) -> set[str]:
        """The keys of a section in the file, valid or not."""
        content = self.document.root.value.get(section)
        return set(content) if isinstance(content, dict) else set()

    def broken_keys(self, section: str) -> set[str | int]:
        """The keys of a section that have a structural mistake."""
        return {path[1] for path in self.broken if path[:1] == (section,) and len(path) > 1}


def decode(document: Document, mistakes: Mistakes) -> ParsedSuite:
    """Decode the document. Its structural mistakes are added to `mistakes`."""
    structural = suite_mistakes(document.root.value)
    mistakes.add(document, structural)
    content = _without_mistakes(document.root.value, structural)
    return ParsedSuite(
        document=document,
        file=_convert({**content, "targets": [], "prompts": []}, SuiteFile),
        targets=[(at, _convert(each, TargetEntry)) for at, each in _present(content["targets"])],
        prompts=[(at, _convert(each, PromptEntry)) for at, each in _present(content.get("prompts") or [])],
        broken=frozenset(mistake.path for mistake in structural),
    )


def _convert(content: Any, kind: type[T]) -> T:
    return msgspec.convert(content, kind, dec_hook=read_quantity)


def _present(entries: list[Any]) -> list[tuple[int, Any]]:
    return [(at, entry) for at, entry in enumerate(entries) if entry is not None]


def _without_mistakes(content: dict[str, Any], mistakes: Sequence[Mistake]) -> dict[str, Any]:
    """The content without its mistakes: without the key if section or target do not require it, else without the entry.

    Dropped entries become None, so that indices stay the same as in the file.
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
    """The mapping without that key. None: the required key is missing or invalid, perhaps misspelt."""
    if entry is None or key == needed or (needed is not None and needed not in entry):
        return None
    return {name: value for name, value in entry.items() if name != key}
