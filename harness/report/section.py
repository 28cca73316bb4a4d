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
    """`share`, `s`, `ms`, `usd`, `pp`, `%`, `kappa`, or a word that is written behind the number."""
    low: float | None = None
    high: float | None = None
    bounded: bool = False
    """It has an interval; a bound that is None is one that the data cannot give."""
    signed: bool = False
    """A difference: its sign is always written."""


class Name(msgspec.Struct, frozen=True):
    """A target's name; where there is little room, its line is broken after the model."""

    text: str


class Mark(msgspec.Struct, frozen=True):
    """A verdict or another word that colour may stress."""

    text: str
    tone: Tone = ""


Cell = str | int | Number | Name | Mark | None
"""A value in a table: text, a count, a number, a name, a verdict. None: the data cannot say."""


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a table. The first column of a table names its rows and is never left out."""

    heading: str
    weight: int = 1
    """On a narrow terminal, the lightest columns are left out first, from the right. 0: on none."""
    interval_weight: int = 0
    """The same for the intervals alone, which then leave their numbers behind."""
    is_text: bool = False
    """Aligned to the left."""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of values. A row with a single value is a heading over the rows that follow it."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence, what it is about, and what belongs to it, a line each."""

    text: str
    label: str = ""
    tone: Tone = ""
    details: Sequence[str] = ()


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A figure, rendered."""

    name: str
    title: str
    """What it says, for whoever cannot see it."""
    png: bytes
    svg: bytes


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """Answers to a prompt, with how they were graded. A model wrote them: pages alone show them."""

    mark: Mark
    prompt_id: str
    about: str
    reason: str = ""
    answers: Sequence[tuple[str, str]] = ()
    """Each with its heading."""
    folded: bool = False


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a report: what it holds is shown in the order of these fields."""

    title: str = ""
    level: int = 2
    text: str = ""
    pictures: Sequence[Picture] = ()
    table: Table | None = None
    notes: Sequence[Note] = ()
    samples: Sequence[Sample] = ()
    layout: Literal["plain", "cards", "terms", "folded"] = "plain"
    """`cards`: a few rows or notes that matter most. `terms`: notes define their labels. `folded`: a long table."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is rendered of a run, a comparison, a history or a sweep."""

    title: str
    heading: str = ""
    """Over the page, where it is not the title."""
    simulated: bool
    invalid: str = ""
    """Why nothing in it may be used; empty where it may."""
    facts: Sequence[str] = ()
    sections: Sequence[Section]


def filled(sections: Iterable[Section]) -> list[Section]:
    """Those that hold something, without tables that have no row."""
    kept = (each if each.table and each.table.rows else msgspec.structs.replace(each, table=None) for each in sections)
    return [each for each in kept if each.text or each.pictures or each.table or each.notes or each.samples]


def tabulate(items: Iterable[T], columns: Sequence[tuple[Column, Callable[[T], Cell]]]) -> Table:
    """A row for each item, its cells as the columns' functions take them."""
    rows = [tuple(cell(item) for _, cell in columns) for item in items]
    return Table(columns=[column for column, _ in columns], rows=rows)


def number(value: float | Interval | None, unit: str = "") -> Number | None:
    """A number or an interval with its unit."""
    if isinstance(value, Interval):
        return Number(value.value, unit, value.low, value.high, bounded=True)
    return None if value is None else Number(value, unit)


def quantile(quantiles: Quantiles | None, name: str) -> Interval | None:
    """The named quantile (`p50` … `p99`); None where nothing was measured."""
    return None if quantiles is None else getattr(quantiles, name)
