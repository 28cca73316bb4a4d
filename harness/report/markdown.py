"""A report as Markdown, for a pull request or a wiki; hostile text is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from harness.characters import printable
from harness.report.section import Note, Picture, Report, Section, Table
from harness.report.wording import SIMULATED_NOTE, write_cell

SPECIAL = re.compile(r"([\\`*_\[\]|~$#!])")
LINKING = re.compile(r"@|:(?=//)|#(?=\d)|\bwww(?=\.)", re.IGNORECASE)
"""What Markdown turns into a link or a mention (`@name`) without any markup."""
JOINER = "\u2060"
"""A word joiner: invisible, and breaks a link."""


def render_markdown(report: Report, *, folder: str = "plots", top: int = 1) -> str:
    """The report as Markdown, with pictures as files in `folder`. `top`: the heading level of its title."""
    parts = [f"{'#' * top} {escape(report.heading or report.title)}"]
    if report.simulated:
        parts.append(f"> **{SIMULATED_NOTE}.**")
    if report.invalid:
        parts.append(f"> **INVALID: {escape(report.invalid)}**")
    parts += map(escape, report.facts)
    for section in report.sections:
        parts += _parts(section, folder, top)
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """The text on one line, escaped so that Markdown shows it literally: no markup, HTML, links or mentions."""
    inert = LINKING.sub(rf"\g<0>{JOINER}", printable(text))
    entities = inert.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return SPECIAL.sub(r"\\\1", entities)


def _parts(section: Section, folder: str, top: int) -> Iterator[str]:
    if section.title:
        yield f"{'#' * (section.level + top - 1)} {escape(section.title)}"
    if section.text:
        yield escape(section.text)
    yield from (_picture(picture, folder) for picture in section.pictures)
    if section.table is not None:
        yield _pipe_table(section.table)
    lines = [line for note in section.notes for line in _bullets(note)]
    lines += [
        line
        for each in section.samples
        for line in _bullets(Note(label=f"{each.mark.text} {each.prompt_id}", text=each.about, details=[each.reason]))
    ]
    if lines:
        yield "\n".join(lines)


def _picture(picture: Picture, folder: str) -> str:
    """The picture, or a link to it if its only file is a PDF, which Markdown cannot show."""
    kind = next(kind for kind in ("png", "svg", "pdf") if kind in picture.formats)
    link = f"[{escape(picture.title)}]({folder}/{picture.name}.{kind})"
    return link if kind == "pdf" else f"!{link}"


def _bullets(note: Note) -> Iterator[str]:
    yield f"- **{escape(note.label)}**: {escape(note.text)}" if note.label else f"- {escape(note.text)}"
    yield from (f"  - {escape(line)}" for line in note.details if line)


def _pipe_table(table: Table) -> str:
    """A table with escaped cells; a row with a single value is padded with empty ones."""
    width = len(table.columns)
    lines: list[Sequence[str]] = [[escape(column.heading) for column in table.columns], ["---"] * width]
    text = [[escape(write_cell(cell)) for cell in row] for row in table.rows]
    lines += [[*row, *[""] * (width - len(row))] for row in text]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
