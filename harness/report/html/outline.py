"""The sections of a page by address: what its contents list and its links lead to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

import msgspec

from harness.characters import printable, visible
from harness.report.section import Section

LONGEST = 48


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A section in its place."""

    id: str
    label: str
    """What it is about: its title, or that of the section before it."""
    section: Section


def outline(sections: Iterable[Section]) -> list[Part]:
    """The sections with ids that are unique and stay the same from report to report."""
    parts: list[Part] = []
    taken = {"book", "browser"}  # the page's own
    label = "Verdict"
    for section in sections:
        label = printable(section.title) or label
        base = slug(section.title or ("" if parts else label))
        id_ = next(name for name in (base, *(f"{base}-{n}" for n in range(2, len(parts) + 4))) if name not in taken)
        taken.add(id_)
        parts.append(Part(id=id_, label=label, section=section))
    return parts


def slug(text: str) -> str:
    """`who-leads`: ASCII letters, digits and hyphens only."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:LONGEST].strip("-") or "part"


def prompt_address(prompt_id: str) -> str:
    """`#prompt=…`, which the page's prompt browser opens. The browser knows an id by its visible characters."""
    return f"#prompt={quote(visible(prompt_id), safe='')}"
