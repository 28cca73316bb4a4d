"""Cells of a page's tables: the unit stands in the head where a column has one, and the best value is marked."""

from __future__ import annotations

import pytest

from harness.report.html.cells import cell_html, count_rows, html_columns
from harness.report.section import Cell, Column, Mark, Name, Number, Table


def column_of(cells: list[Cell], **facts: object) -> list[str]:
    """The heading of a table's second column with its unit, and the cells under it as HTML."""
    column = Column(heading=facts.pop("heading", "value"), **facts)  # type: ignore[arg-type]
    table = Table(columns=[Column(heading="target"), column], rows=[[Name(f"t{i}"), c] for i, c in enumerate(cells)])
    shown = html_columns(table)[1]
    return [f"{shown.heading}|{shown.unit}", *(str(cell_html(cell, shown)) for cell in cells)]


BEST = '<strong class="best">{}<span class="unseen"> (best)</span></strong>'


@pytest.mark.parametrize(
    ("cells", "shown"),
    [
        ([Number(0.975, "share"), None], ["value|%", "97.5", "–"]),
        ([Number(0.0012, "usd"), Number(1234.5, "usd")], ["value|$", "0.00120", "1,234.50"]),
        ([Number(-0.5, "pp", signed=True)], ["value|pp", "−0.5"]),
        ([Number(-0.5, "usd", signed=True)], ["value|$", "−0.500"]),
        ([Number(0.02, "ms"), Number(1.5, "ms")], ["value|ms", "20.0", "1,500"]),
        ([Number(205.0, "tokens/s")], ["value|tokens/s", "205"]),
        ([Number(3.0)], ["value|", "3.00"]),
        ([Number(0.61, "kappa")], ["value|", "0.61"]),
        ([Number(1.5, "s"), Number(0.5, "share")], ["value|", "1.50 s", "50.0%"]),
        ([Number(1.5, "s"), "at most 2 s"], ["value|", "1.50 s", "at most 2 s"]),
        ([40, 1_024], ["value|", "40", "1,024"]),
        ([Mark("worse", "bad")], ["value|", "worse"]),
    ],
)
def test_a_unit_that_all_cells_share_stands_in_the_head_alone(cells: list[Cell], shown: list[str]) -> None:
    assert shown == column_of(cells)


def test_a_unit_that_the_heading_names_is_not_said_twice() -> None:
    assert ["$/1k|", "0.0710"] == column_of([Number(0.071, "usd")], heading="$/1k")
    assert ["errors|s", "1.00"] == column_of([Number(1.0, "s")], heading="errors")


def test_an_interval_keeps_its_place_in_the_cell() -> None:
    interval = Number(0.975, "share", 0.87, 0.996, bounded=True)
    assert ["value|%", '97.5 <span class="interval">[87.0, 99.6]</span>'] == column_of([interval])


@pytest.mark.parametrize(("best", "marked"), [("high", [False, True, True]), ("low", [True, False, False])])
def test_the_best_value_is_marked_and_those_that_look_the_same_with_it(best: str, marked: list[bool]) -> None:
    _, *cells = column_of([Number(0.9, "share"), Number(0.975, "share"), Number(0.97501, "share")], best=best)
    assert marked == ["best" in cell for cell in cells]
    assert BEST.format("97.5" if best == "high" else "90.0") in cells


def test_nothing_is_the_best_where_all_are_alike_or_alone_or_nobody_asks() -> None:
    for cells in ([Number(1.0, "s"), Number(1.0001, "s")], [Number(1.0, "s"), None], [3], []):
        assert not any("best" in cell for cell in column_of(cells, best="low"))  # type: ignore[arg-type]
    assert not any("best" in cell for cell in column_of([1, 2]))


def test_an_unknown_or_worded_value_is_not_the_best() -> None:
    _, *cells = column_of([2, None, "at most 1", 3], best="low")
    assert [True, False, False, False] == ["best" in cell for cell in cells]


def test_a_row_that_is_a_heading_counts_for_no_column_and_is_no_row() -> None:
    table = Table(
        columns=[Column(heading="a"), Column(heading="b")], rows=[[Number(1.0, "s")], ["x", Number(2.0, "%")]]
    )
    assert ["", "%"] == [column.unit for column in html_columns(table)]
    assert "1 row" == count_rows(table)


def test_a_partial_row_is_never_the_best() -> None:
    rows = [(Name("stopped"), Number(0.1, "s")), (Name("slow"), Number(3.0, "s")), (Name("fast"), Number(2.0, "s"))]
    table = Table(columns=[Column(heading="target"), Column(heading="TTFT", best="low")], rows=rows, partial=[0])
    assert [None, "2.00 s"] == [column.best for column in html_columns(table)]
