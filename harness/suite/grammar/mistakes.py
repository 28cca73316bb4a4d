"""Mistakes in a suite, reported as `suites/x.yaml:14: targets[1].routing: what is wrong`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Protocol

import msgspec

from harness.characters import counted, visible
from harness.errors import SuiteError, SuiteMistake

MOST_MISTAKES = 100
"""Listed for one file: a wrong column is wrong in every line."""
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
        self._found: dict[str, dict[SuiteMistake, None]] = {}
        self._left_out: Counter[str] = Counter()

    def add(self, source: Source, mistakes: Iterable[Mistake]) -> None:
        """Add mistakes in one source."""
        for each in mistakes:
            found = self._found.setdefault(source.name, {})
            if len(found) < MOST_MISTAKES:
                mistake = describe_mistake(each.message, source.name, source.line_of(each.path), each.path)
                found.setdefault(mistake)
            else:
                self._left_out[source.name] += 1

    def __len__(self) -> int:
        return sum(map(len, self._found.values())) + self._left_out.total()

    def error(self) -> SuiteError:
        """All mistakes as one error, without duplicates, by file (in order of appearance) and line."""
        listed: list[SuiteMistake] = []
        for file, found in self._found.items():
            listed += sorted(found, key=lambda each: each.line or 0)
            if more := self._left_out[file]:
                listed.append(describe_mistake(f"and {counted(more, 'more mistake')}", file, listed[-1].line))
        return SuiteError(listed)


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
