"""A short report as a fragment of HTML for a notebook: no script, no style sheet, no image, everything escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from harness.characters import printable
from harness.report.section import Cell, Note, Report, Section, Table
from harness.report.wording import SIMULATED_NOTE, write_cell

_TEXT = 'style="text-align: left"'
"""A notebook aligns cells to the right."""


def render_fragment(report: Report) -> str:
    """The report's title, warnings, facts, tables and notes."""
    return str(_joined([_head(report), *map(_section, report.sections)], Markup("<div>{}</div>")))


def _head(report: Report) -> Markup:
    parts = [Markup("<h3>{}</h3>").format(printable(report.heading or report.title))]
    if report.simulated:
        parts.append(Markup("<p><strong>{}</strong></p>").format(SIMULATED_NOTE))
    if report.invalid:
        parts.append(Markup("<p><strong>INVALID:</strong> {}</p>").format(printable(report.invalid)))
    parts += [_paragraph(fact) for fact in report.facts]
    return _joined(parts)


def _section(section: Section) -> Markup:
    parts = [Markup("<h4>{}</h4>").format(printable(section.title))] if section.title else []
    if section.text:
        parts.append(_paragraph(section.text))
    if section.table is not None:
        parts.append(_table(section.table))
    if section.notes:
        parts.append(_joined(map(_note, section.notes), Markup("<ul>{}</ul>")))
    return _joined(parts)


def _table(table: Table) -> Markup:
    heads = _joined(Markup(f"<th {_TEXT}>{{}}</th>").format(printable(column.heading)) for column in table.columns)
    rows = (_joined(_row(row, len(table.columns)), Markup("<tr>{}</tr>")) for row in table.rows)
    return Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(heads, _joined(rows))


def _row(row: Sequence[Cell], columns: int) -> Iterable[Markup]:
    """The row's cells; a single one is a heading of the rows that follow."""
    if len(row) == 1:
        return [Markup(f'<th colspan="{columns}" {_TEXT}>{{}}</th>').format(write_cell(row[0]))]
    return [Markup(f"<td {_TEXT}>{{}}</td>").format(write_cell(cell)) for cell in row]


def _note(note: Note) -> Markup:
    label = Markup("<strong>{}:</strong> ").format(printable(note.label)) if note.label else Markup()
    details = _joined(Markup("<br>{}").format(printable(line)) for line in note.details)
    return Markup("<li>{}{}{}</li>").format(label, printable(note.text), details)


def _paragraph(text: str) -> Markup:
    return Markup("<p>{}</p>").format(printable(text))


def _joined(parts: Iterable[Markup], inside: Markup | None = None) -> Markup:
    whole = Markup().join(parts)
    return whole if inside is None else inside.format(whole)
