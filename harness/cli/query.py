"""`harness query`: SQL over all runs, as a table, JSON or CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A text cell that begins with one of these is a formula to a spreadsheet."""
SHOWN = 1_000
"""Rows of a table; JSON and CSV hold all of them."""
BATCH = 1_000


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT over runs, attempts and scores.", show_default=False)],
    results_dir: Annotated[Path, typer.Option("--results", help="The folder with the runs.")] = Path("results"),
    json_output: Annotated[bool, typer.Option("--json", help="Rows as JSON objects.")] = False,
    csv_output: Annotated[bool, typer.Option("--csv", help="Rows as CSV that no spreadsheet will run.")] = False,
) -> None:
    """Ask the runs in a folder a question in SQL (DuckDB's). Reads only these runs, writes nothing.

    \b
    harness query "DESCRIBE attempts"
    harness query "SELECT target, median(first_ns - due_ns) / 1e6 AS ttft_ms FROM attempts WHERE ok GROUP BY target"
    harness query "SELECT target, avg(passed::int) FROM scores JOIN attempts USING (run_id, request_id) GROUP BY 1"
    """
    from harness.errors import HarnessError
    from harness.store.query import connect, select
    from harness.store.run_folder import list_runs

    if json_output and csv_output:
        raise HarnessError("--json and --csv exclude each other; give one")
    runs = list_runs(results_dir)
    if not runs:
        raise HarnessError(f"{results_dir}: holds no runs; name their folder with --results")
    with closing(connect(runs)) as connection:
        found = select(connection, sql)
        names = [column[0] for column in found.description or ()]
        if json_output:
            _print_json(names, found)
        elif csv_output:
            _print_csv(names, found)
        else:
            _print_table(names, found)


def _rows(found: DuckDBPyConnection) -> Iterator[Sequence[Any]]:
    """Every row; HarnessError when a value turns out to be impossible on the way."""
    import duckdb

    from harness.errors import HarnessError

    try:
        while batch := found.fetchmany(BATCH):
            yield from batch
    except duckdb.Error as error:
        raise HarnessError(f"SQL: {error}") from error


def _print_json(names: Sequence[str], found: DuckDBPyConnection) -> None:
    import msgspec

    keys = _unique(names)
    encoder = msgspec.json.Encoder(enc_hook=str)
    separator = "["
    for row in _rows(found):
        print(separator, encoder.encode(dict(zip(keys, row, strict=True))).decode(), sep="\n")
        separator = ","
    print("[]" if separator == "[" else "]")


def _print_csv(names: Sequence[str], found: DuckDBPyConnection) -> None:
    import csv
    import sys

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([_defused(name) for name in names])
    for row in _rows(found):
        writer.writerow([_defused(cell) for cell in row])


def _print_table(names: Sequence[str], found: DuckDBPyConnection) -> None:
    from itertools import islice

    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from harness.report.wording import visible

    rows = _rows(found)
    shown = list(islice(rows, SHOWN))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for index, name in enumerate(names):
        numeric = all(isinstance(row[index], int | float | None) for row in shown)
        table.add_column(Text(visible(name)), justify="right" if numeric else "left", overflow="fold")
    for row in shown:
        table.add_row(*(Text(visible(_cell(cell))) for cell in row))
    console = Console(highlight=False, markup=False)
    console.print(table)
    if next(rows, None) is not None:
        console.print(f"the first {SHOWN:,} rows; --json and --csv give all of them")


def _cell(cell: Any) -> str:
    """A value as the table shows it."""
    match cell:
        case None:
            return "–"
        case bool():
            return str(cell).lower()
        case float():
            return f"{cell:.6g}"
        case _:
            return str(cell)


def _defused(cell: Any) -> Any:
    """A text that a spreadsheet would run begins with an apostrophe; numbers stay numbers."""
    if cell is None or isinstance(cell, bool | int | float):
        return cell
    text = str(cell)
    return f"'{text}" if text.lstrip(" \n").startswith(FORMULA_STARTS) else text


def _unique(names: Sequence[str]) -> list[str]:
    """`a, b, a` → `a, b, a_2`: an object has each key once."""
    unique: dict[str, None] = {}
    for name in names:
        number, key = 1, name
        while key in unique:
            number += 1
            key = f"{name}_{number}"
        unique[key] = None
    return list(unique)
