"""The exception tree: every mistake of a user's is one of these, and says what, where and how to mend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self


class HarnessError(Exception):
    """A mistake a user can mend. `exit_code` is what the command ends with."""

    exit_code = 2


class CatalogError(HarnessError):
    """An unknown model, a routing that is not offered, a combination that does not exist.

    `key`: which part of a target is to blame, `routing`; None where nothing tells.
    """

    def __init__(self, message: str, *, key: str | None = None) -> None:
        super().__init__(message)
        self.key = key


class SuiteMistake(str):
    """One thing that is wrong with a suite, as it is told, and where: `file:line: path: what is wrong`."""

    file: str
    line: int | None
    path: tuple[str | int, ...]

    def __new__(cls, told: str, *, file: str, line: int | None, path: tuple[str | int, ...]) -> Self:
        made = super().__new__(cls, told)
        made.file, made.line, made.path = file, line, path
        return made


class SuiteError(HarnessError):
    """A suite that cannot be used. `mistakes` holds every one; a file's are `SuiteMistake`s, with their place."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


class StoreError(HarnessError):
    """A run's folder that cannot be read or written."""


class EndpointError(HarnessError):
    """An endpoint or client that cannot be set up: no credentials, no Region, an address that is no URL."""


class RunInvalid(HarnessError):
    """A run that is invalid: it is incomplete, or the client was the bottleneck."""

    exit_code = 4


class CompareError(HarnessError):
    """Runs or targets that cannot be compared: other prompts, no baseline, a judge among the candidates."""


def first_leaf(error: BaseException) -> BaseException:
    """The first exception of a group that a TaskGroup made, however deep; any other as it is."""
    return first_leaf(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
