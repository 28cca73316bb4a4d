"""Who grades beside the scorers: judges, which are models, and files of the user's own Python functions."""

from __future__ import annotations

import msgspec

from harness.catalog.target import Target


class CheckFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of Python functions that grade answers, by digest. A frozen suite holds no text of it, nor its place."""

    name: str
    """As written, relative to the suite's folder."""
    digest: str
    """SHA-256 of the bytes, hex."""
    functions: tuple[str, ...] = ()
    """Those at its top level."""
    source: bytes | None = None
    """What is run. None: the suite is that of a run, which names no code."""


class Label(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person says of an answer to a prompt: a judge that grades it too can be compared with the person."""

    prompt_id: str
    answer: str
    passed: bool


class Judge(msgspec.Struct, frozen=True, kw_only=True):
    """A model that grades answers and gives none itself. The target has the judge's name."""

    name: str
    target: Target
    labels: tuple[Label, ...] = ()


class Graders(msgspec.Struct, frozen=True, kw_only=True):
    """All of a suite's."""

    judges: tuple[Judge, ...] = ()
    check_files: tuple[CheckFile, ...] = ()
    unread: bool = False
    """A judge is written that has a mistake: a name that nobody has may be its."""
