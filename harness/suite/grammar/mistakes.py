"""Mistakes in a suite, and how each is told: `suites/x.yaml:14: targets[1].routing: what is wrong`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from harness.characters import visible
from harness.errors import SuiteError
from harness.suite.suite import Suite

LONGEST = 2000
"""Characters of one mistake: what it quotes may be of any length."""
KeyPath = tuple[str | int, ...]
"""Where a value sits: keys of mappings, indices of lists."""


class Mistake(msgspec.Struct, frozen=True):
    """One thing that is wrong. `path` of a validator's is told in the loaded Suite: `("targets", 3, "client")`."""

    path: KeyPath
    message: str


Validator = Callable[[Suite], Iterable[Mistake]]
"""What a room below knows of a suite: which checks' parameters hold, which client speaks which api."""


class Source(Protocol):
    """A file's part in which a path can be found again."""

    @property
    def name(self) -> str: ...

    def line_of(self, path: KeyPath) -> int: ...


class Line(msgspec.Struct, frozen=True):
    """A source without paths of its own: one line of a file, such as a row of a dataset."""

    name: str
    line: int

    def line_of(self, path: KeyPath) -> int:
        return self.line


class Located(msgspec.Struct, frozen=True, kw_only=True):
    """A mistake with its place."""

    source: Source
    mistake: Mistake

    def __str__(self) -> str:
        path = self.mistake.path
        where = f"{self.source.name}:{self.source.line_of(path)}"
        told = f"{where}: {dotted(path)}: {self.mistake.message}" if path else f"{where}: {self.mistake.message}"
        told = visible(" ".join(told.splitlines()))
        return told if len(told) <= LONGEST else f"{told[:LONGEST]}…"


def locate(source: Source, mistakes: Iterable[Mistake]) -> list[Located]:
    """The mistakes as found in one source."""
    return [Located(source=source, mistake=mistake) for mistake in mistakes]


def dotted(path: KeyPath) -> str:
    """`("targets", 1, "routing")` → `targets[1].routing`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def suite_error(located: Sequence[Located]) -> SuiteError:
    """All mistakes as one error: in the order of the lines, a suite's own before its dataset's, none told twice."""
    files = list(dict.fromkeys(each.source.name for each in located))
    ordered = sorted(located, key=lambda each: (files.index(each.source.name), each.source.line_of(each.mistake.path)))
    return SuiteError(list(dict.fromkeys(str(each) for each in ordered)))
