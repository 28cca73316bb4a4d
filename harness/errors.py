"""The exception tree. Every user mistake raises one of these, which says what is wrong, where, and how to fix it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

INTERRUPTED_CODE = 130
"""The exit code of a command that was interrupted, as shells have it."""
UNDELIVERED_CODE = 5
"""The exit code of a command whose work is done and stored here, but could not be delivered, such as to a bucket."""


class HarnessError(Exception):
    """A mistake that the user can fix. `exit_code` is the exit code of the command."""

    exit_code = 2


class CatalogError(HarnessError):
    """An unknown model, a routing that is not offered, a combination that does not exist.

    `key`: the part of the target to blame, such as `routing`; None if unknown.
    """

    def __init__(self, message: str, *, key: str | None = None) -> None:
        super().__init__(message)
        self.key = key


class SuiteMistake(str):
    """One mistake in a suite, as users read it (`file:line: path: what is wrong`), with its place."""

    file: str
    line: int | None
    path: tuple[str | int, ...]

    def __new__(cls, text: str, *, file: str, line: int | None, path: tuple[str | int, ...]) -> Self:
        mistake = super().__new__(cls, text)
        mistake.file, mistake.line, mistake.path = file, line, path
        return mistake


class SuiteError(HarnessError):
    """A suite that cannot be used. `mistakes` holds all of them; one in a file is a `SuiteMistake`, with its place."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


class StoreError(HarnessError):
    """A run folder that cannot be read or written."""


class EndpointError(HarnessError):
    """An endpoint or client that cannot be set up: no credentials, no Region, an invalid URL."""


class RunInvalid(HarnessError):
    """A run that is invalid: it is incomplete, or the client was the bottleneck."""

    exit_code = 4


class CompareError(HarnessError):
    """Runs or targets that cannot be compared: other prompts, no baseline, a judge among the candidates."""


def first_leaf(error: BaseException) -> BaseException:
    """The first exception in a TaskGroup's exception group, however deeply nested; any other exception as it is."""
    return first_leaf(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
