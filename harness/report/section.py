"""What every report is made of: sections that hold values, independent of the renderer. Only renderers escape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeVar

import msgspec

from harness.analysis.answers.book import AnswerBook
from harness.analysis.stats.interval import Interval
from harness.analysis.summary.summary import Quantiles
from harness.report.plots import DEFAULT_FORMATS

T = TypeVar("T")

Tone = Literal["good", "warn", "bad", ""]


class Number(msgspec.Struct, frozen=True):
    """A number with its unit and, if it has one, its interval. `wording` formats it."""

    value: float
    unit: str = ""
    """`share`, `s`, `ms`, `usd`, `pp`, `%`, `kappa`, or a word to write after the number."""
    low: float | None = None
    high: float | None = None
    bounded: bool = False
    """Whether it has an interval; a bound of None is then unknown."""
    signed: bool = False
    """Always write the sign, as for a difference."""


class Name(msgspec.Struct, frozen=True):
    """A target's name, which may wrap after the model."""

    text: str


class Mark(msgspec.Struct, frozen=True):
    """A verdict or another word that may be coloured."""

    text: str
    tone: Tone = ""


class Link(msgspec.Struct, frozen=True):
    """Text that a page links to a file beside it or below it."""

    text: str
    address: str
    """Relative, percent-encoded."""
    tone: Tone = ""


Cell = str | int | Number | Name | Mark | Link | None
"""A value in a table: text, a count, a number, a name, a verdict or a link; None if unknown."""


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a table. The first one names the rows and is never left out."""

    heading: str
    weight: int = 1
    """On a narrow terminal the lightest columns are left out first, from the right. 0: never shown on a terminal."""
    interval_weight: int = 0
    """The same for the column's intervals, which can be left out on their own."""
    is_text: bool = False
    """Align to the left."""
    is_whole: bool = False
    """Names of rows that are to be copied: a terminal shows them whole, however narrow it is."""
    best: Literal["high", "low", ""] = ""
    """Which value a page marks as the best of the column."""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of values. A row with a single value is a heading for the rows that follow it."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    partial: Sequence[int] = ()
    """Indices of the rows whose values are not complete, so that none is marked as the best of its column."""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence with an optional label and details, one line each."""

    text: str
    label: str = ""
    tone: Tone = ""
    details: Sequence[str] = ()


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A rendered figure."""

    name: str
    title: str
    """What the figure shows; its alt text begins with it."""
    svg: bytes
    """What pages embed."""
    png: bytes = b""
    pdf: bytes = b""
    """Like `png`, empty if it is not among the formats."""
    formats: Sequence[str] = DEFAULT_FORMATS
    """Of its files in `plots/`."""
    description: str = ""
    """The rest of the alt text: what there is to see, in a sentence or two."""
    table: Table | None = None
    """The values drawn, for those who cannot see the figure or want the numbers."""

    def _repr_png_(self) -> tuple[bytes, dict[str, str]]:
        """What a notebook shows, with its alt text."""
        return self.png, {"alt": f"{self.title}. {self.description}" if self.description else self.title}

    def content(self, kind: str) -> bytes:
        """The file of this format."""
        return {"png": self.png, "svg": self.svg, "pdf": self.pdf}[kind]


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """Graded answers to a prompt. Only pages show the answers, since a model wrote them."""

    mark: Mark
    prompt_id: str
    about: str
    reason: str = ""
    answers: Sequence[tuple[str, str]] = ()
    """(heading, answer)."""


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a report, shown in the order of these fields."""

    title: str = ""
    level: int = 2
    text: str = ""
    pictures: Sequence[Picture] = ()
    table: Table | None = None
    notes: Sequence[Note] = ()
    samples: Sequence[Sample] = ()
    book: AnswerBook | None = None
    """The prompt browser. Only pages show it."""
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
    """The non-empty sections, without tables that have no rows."""
    trimmed = (
        each if each.table and each.table.rows else msgspec.structs.replace(each, table=None) for each in sections
    )
    return [
        each for each in trimmed if each.text or each.pictures or each.table or each.notes or each.samples or each.book
    ]


def tabulate(
    items: Sequence[T],
    columns: Sequence[tuple[Column, Callable[[T], Cell]]],
    *,
    is_partial: Callable[[T], bool] = lambda _: False,
) -> Table:
    """A row for each item, a cell from each column's function."""
    rows = [tuple(cell(item) for _, cell in columns) for item in items]
    partial = [at for at, item in enumerate(items) if is_partial(item)]
    return Table(columns=[column for column, _ in columns], rows=rows, partial=partial)


def number(value: float | Interval | None, unit: str = "") -> Number | None:
    """A cell for a value or an interval; None stays None."""
    if isinstance(value, Interval):
        return Number(value.value, unit, value.low, value.high, bounded=True)
    return None if value is None else Number(value, unit)


def quantile(quantiles: Quantiles | None, name: str) -> Interval | None:
    """The quantile of this name (`p50` … `p99`); None if there are none."""
    return None if quantiles is None else getattr(quantiles, name)
