"""What every report is made of: sections that hold values, whatever renders them. Renderers escape; builders do not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeVar

import msgspec

from harness.analysis.stats.interval import Interval
from harness.analysis.summary.summary import Quantiles

T = TypeVar("T")

Tone = Literal["good", "warn", "bad", ""]


class Number(msgspec.Struct, frozen=True):
    """A number with its unit, and with its interval where it has one. `wording` writes it."""

    value: float
    unit: str = ""
    """`share`, `s`, `ms`, `usd`, `pp`, `%`, `kappa`, or a word that is written after the number."""
    low: float | None = None
    high: float | None = None
    bounded: bool = False
    """It has an interval; a bound of None is unknown."""
    signed: bool = False
    """A difference: its sign is always written."""


class Name(msgspec.Struct, frozen=True):
    """A target's name, wrapped after the model if space is short."""

    text: str


class Mark(msgspec.Struct, frozen=True):
    """A verdict or another word that colour may stress."""

    text: str
    tone: Tone = ""


Cell = str | int | Number | Name | Mark | None
"""A value in a table: text, a count, a number, a name, a verdict. None: unknown."""


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a table. The first column of a table names its rows and is never left out."""

    heading: str
    weight: int = 1
    """On a narrow terminal, the lightest columns are left out first, from the right. 0: on none."""
    interval_weight: int = 0
    """The same for the column's intervals, which are left out without their numbers."""
    is_text: bool = False
    """Aligned to the left."""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of values. A row with a single value is a heading over the rows that follow it."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence with a label and details, a line each."""

    text: str
    label: str = ""
    tone: Tone = ""
    details: Sequence[str] = ()


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A figure, rendered."""

    name: str
    title: str
    """Alt text."""
    png: bytes
    svg: bytes


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """Graded answers to a prompt. A model wrote them, so only pages show them."""

    mark: Mark
    prompt_id: str
    about: str
    reason: str = ""
    answers: Sequence[tuple[str, str]] = ()
    """Each with its heading."""
    folded: bool = False


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a report, shown in the order of these fields."""

    title: str = ""
    level: int = 2
    text: str = ""
    pictures: Sequence[Picture] = ()
    table: Table | None = None
    notes: Sequence[Note] = ()
    samples: Sequence[Sample] = ()
    layout: Literal["plain", "cards", "terms", "folded"] = "plain"
    """`cards`: the few rows or notes that matter most. `terms`: notes define their labels. `folded`: a long table."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The report of a run, a comparison, a history or a sweep."""

    title: str
    heading: str = ""
    """The page's heading if it differs from the title."""
    simulated: bool
    invalid: str = ""
    """Why its data is invalid; empty if it is valid."""
    facts: Sequence[str] = ()
    sections: Sequence[Section]


def filled(sections: Iterable[Section]) -> list[Section]:
    """The sections that are not empty, without tables that have no rows."""
    trimmed = (
        each if each.table and each.table.rows else msgspec.structs.replace(each, table=None) for each in sections
    )
    return [each for each in trimmed if each.text or each.pictures or each.table or each.notes or each.samples]


def tabulate(items: Iterable[T], columns: Sequence[tuple[Column, Callable[[T], Cell]]]) -> Table:
    """A row for each item, a cell from each column's function."""
    rows = [tuple(cell(item) for _, cell in columns) for item in items]
    return Table(columns=[column for column, _ in columns], rows=rows)


def number(value: float | Interval | None, unit: str = "") -> Number | None:
    """A number or an interval with its unit."""
    if isinstance(value, Interval):
        return Number(value.value, unit, value.low, value.high, bounded=True)
    return None if value is None else Number(value, unit)


def quantile(quantiles: Quantiles | None, name: str) -> Interval | None:
    """The named quantile (`p50` … `p99`); None without quantiles."""
    return None if quantiles is None else getattr(quantiles, name)
