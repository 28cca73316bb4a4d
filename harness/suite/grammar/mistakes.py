"""Mistakes in a suite, reported as `suites/x.yaml:14: targets[1].routing: what is wrong`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec

from harness.characters import visible
from harness.errors import SuiteError, SuiteMistake

LONGEST = 2000
"""Characters of one mistake, which may quote a long text."""
KeyPath = tuple[str | int, ...]
"""The path of a value: keys of mappings, indices of lists."""


class Mistake(msgspec.Struct, frozen=True):
    """One mistake. A validator's `path` refers to the loaded Suite: `("targets", 3, "client")`."""

    path: KeyPath
    message: str


class Source(Protocol):
    """A file, or a part of one, that knows the line of a path."""

    @property
    def name(self) -> str: ...

    def line_of(self, path: KeyPath) -> int: ...


class Line(msgspec.Struct, frozen=True):
    """A source without paths of its own: one line of a file, such as a row of a dataset."""

    name: str
    line: int

    def line_of(self, path: KeyPath) -> int:
        return self.line


class Mistakes:
    """Collects the mistakes in a suite while it is loaded."""

    def __init__(self) -> None:
        self._found: list[SuiteMistake] = []

    def add(self, source: Source, mistakes: Iterable[Mistake]) -> None:
        """Add mistakes in one source."""
        self._found += [describe_mistake(m.message, source.name, source.line_of(m.path), m.path) for m in mistakes]

    def __len__(self) -> int:
        return len(self._found)

    def error(self) -> SuiteError:
        """All mistakes as one error, without duplicates, by file (in order of appearance) and line."""
        files = list(dict.fromkeys(each.file for each in self._found))
        ordered = sorted(self._found, key=lambda each: (files.index(each.file), each.line or 0))
        return SuiteError(list(dict.fromkeys(ordered)))


def describe_mistake(message: str, file: str, line: int | None = None, path: KeyPath = ()) -> SuiteMistake:
    """The mistake on one line, preceded by its place, which is also in the attributes."""
    where = file if line is None else f"{file}:{line}"
    text = f"{where}: {dotted(path)}: {message}" if path else f"{where}: {message}"
    text = visible(" ".join(text.splitlines()))
    shown = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return SuiteMistake(shown, file=file, line=line, path=path)


def dotted(path: KeyPath) -> str:
    """`("targets", 1, "routing")` → `targets[1].routing`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
