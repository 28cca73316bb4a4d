"""The cells of a page's tables: units go into the head of a column, and the best of a column is marked."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from markupsafe import Markup

from harness.characters import counted, printable
from harness.report.section import Cell, Column, Link, Mark, Name, Number, Table
from harness.report.wording import unit_symbol, write_bare, write_cell, write_interval, write_value


class HtmlColumn(msgspec.Struct, frozen=True, kw_only=True):
    """A column and what its cells have in common."""

    heading: str
    unit: str = ""
    """Shown after the heading. Empty if the heading names it, or the cells differ or have none."""
    bare: bool = False
    """Whether the cells leave out their unit."""
    best: str | None = None
    """The value to mark, as it is written: values that look alike are marked alike."""
    is_text: bool = False


def html_columns(table: Table) -> list[HtmlColumn]:
    """The table's columns, with what they share."""
    rows = [row for row in table.rows if len(row) > 1]
    whole = [row for at, row in enumerate(table.rows) if len(row) > 1 and at not in table.partial]
    return [
        _html_column(column, *([row[i] for row in some if i < len(row)] for some in (rows, whole)))
        for i, column in enumerate(table.columns)
    ]


def count_rows(table: Table) -> str:
    """`8 rows`, without those that are a heading."""
    return counted(sum(len(row) > 1 for row in table.rows), "row")


def _html_column(column: Column, cells: Sequence[Cell], competing: Sequence[Cell]) -> HtmlColumn:
    unit = _shared_unit(cells)
    symbol = unit_symbol(unit or "")
    return HtmlColumn(
        heading=column.heading,
        unit="" if symbol in re.findall(r"\w+|[$%]", column.heading) else symbol,
        bare=unit is not None,
        best=_best(column, competing),
        is_text=column.is_text,
    )


def _shared_unit(cells: Sequence[Cell]) -> str | None:
    """The unit of every number; None if they differ, or another cell has text to read it by."""
    units = {cell.unit if isinstance(cell, Number) else None for cell in cells if cell is not None}
    return units.pop() if len(units) == 1 else None


def _best(column: Column, cells: Sequence[Cell]) -> str | None:
    """The best value as it is written; None if all look alike."""
    values = [(value, written(cell)) for cell in cells if (value := sort_value(cell)) is not None]
    if not column.best or len({text for _, text in values}) < 2:
        return None
    return (max if column.best == "high" else min)(values)[1]


def written(cell: Cell) -> str:
    """A cell without its interval."""
    return write_value(cell) if isinstance(cell, Number) else write_cell(cell)


def sort_value(cell: Cell) -> float | None:
    """What to sort a number by."""
    return cell.value if isinstance(cell, Number) else cell if isinstance(cell, int) else None


def cell_html(cell: Cell, column: HtmlColumn | None = None) -> Markup:
    """An escaped value, with its interval in a span. The best of its column is marked for eyes and ears."""
    match cell:
        case Number():
            value = Markup("{}").format(write_bare(cell) if column and column.bare else write_value(cell))
        case Name():
            return break_name(cell.text)
        case Link():
            return Markup('<a href="{}">{}</a>').format(f"./{cell.address}", write_cell(cell))
        case _:
            value = Markup("{}").format(write_cell(cell))
    if column and column.best is not None and sort_value(cell) is not None and written(cell) == column.best:
        value = Markup('<strong class="best">{}<span class="unseen"> (best)</span></strong>').format(value)
    interval = write_interval(cell) if isinstance(cell, Number) else ""
    return value + Markup(' <span class="interval">[{}]</span>').format(interval) if interval else value


def break_name(name: str) -> Markup:
    """An escaped name that wraps only after the model."""
    head, slash, tail = printable(name).partition("/")
    if not slash:
        return Markup("{}").format(head)
    return Markup('<span class="part">{}</span><span class="part">{}</span>').format(head + slash, tail)


def cell_class(cell: Cell) -> str:
    """The CSS class of a cell."""
    match cell:
        case Mark():
            return f"mark {cell.tone}"
        case Name():
            return "name"
        case Link():
            return f"mark {cell.tone}" if cell.tone else "text"
    return "text" if isinstance(cell, str) else "number"
