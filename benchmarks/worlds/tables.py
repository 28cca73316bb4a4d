"""The tables of the benchmark of the verdicts: what a row is, and how it is printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.analysis.compare.comparison import Difference
from harness.analysis.stats.interval import Effect, Interval
from harness.analysis.stats.proportions import wilson

SEED = 20261125


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    name: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """One table: what it is called on the command line, its title, its column heads and its rows."""

    key: str
    title: str
    heads: tuple[str, ...]
    rows: Callable[[float], Iterator[Row]]
    """Its rows at a scale: 1 is every round, 0.01 a hundredth of them."""

    def print(self, scale: float) -> list[Row]:
        """Print the table in Markdown, each row as soon as it is known; return the rows."""
        print(f"\n**{self.title}**\n\n| {' | '.join(self.heads)} |\n|{' --- |' * len(self.heads)}")
        rows = []
        for row in self.rows(scale):
            print(f"| {' | '.join((row.name, *row.cells))} |", flush=True)
            rows.append(row)
        return rows


def holds(interval: Effect | Interval | Difference, truth: float) -> bool:
    """A bound that is not given rules nothing out."""
    return (interval.low is None or interval.low <= truth) and (interval.high is None or truth <= interval.high)


def share_of(hits: list[bool]) -> str:
    """Of the rounds, in %, with Wilson's 95 % interval: what so few rounds leave open."""
    share = wilson(sum(hits), len(hits))
    return f"{100 * share.value:.1f} ({100 * (share.low or 0.0):.1f}–{100 * (share.high or 0.0):.1f})"
