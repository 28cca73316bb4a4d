"""Markdown that shows hostile text as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from harness.characters import printable

SPECIAL = re.compile(r"([\\`*_\[\]|~$#!])")
LINKING = re.compile(r"@|:(?=//)|#(?=\d)|\bwww(?=\.)", re.IGNORECASE)
"""What makes a link of bare text, or calls a person of that name (`@name`), where no markup does."""
JOINER = "\u2060"
"""A word joiner: nothing to be seen, and no link."""


def escape(text: str) -> str:
    """Text that Markdown shows as it is: one line, no markup, no HTML, no link, nobody called by name."""
    inert = LINKING.sub(rf"\g<0>{JOINER}", printable(text))
    entities = inert.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return SPECIAL.sub(r"\\\1", entities)


def pipe_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A pipe table, the first column to the left; every cell is escaped."""
    lines = [headings, *rows]
    text = ["| " + " | ".join(escape(cell) for cell in line) + " |" for line in lines]
    text.insert(1, "| --- |" + " --- |" * (len(headings) - 1))
    return "\n".join(text)
