"""`harness query`: SQL over all runs, as a table, JSON or CSV."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from decimal import Decimal
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated, Any, Literal, TextIO

import typer

from harness.characters import printable, visible
from harness.cli.options import JsonOption, ResultsOption
from harness.cli.output import escape_json
from harness.cli.places import DEFAULT_RESULTS, ROWS, Place, complete_run, local_results, local_run, parse_run

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from harness.store.run_folder import RunFolder

_IGNORED = r"\s\x00-\x1f\";\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
_FORMULA = re.compile(f"(?<![{_IGNORED}])([{_IGNORED}]*+)([=+@\\-＝﹦＋﹢＠﹫－﹣])")
"""What begins a formula, in any width, and before it whatever a spreadsheet passes over. Takes linear time."""
_CELL_ENDS = re.compile(r"[;\t\r\n]")
"""Where a cell ends for a spreadsheet that expects semicolons or tabs, as in half of Europe: there the quotes around a
text mean nothing, so that a formula in the middle of it would run."""
SHOWN = 1_000
"""Rows of the table; JSON and CSV have all of them."""
BATCH = 1_000
READABLE = 16
"""A text column is at least this many characters wide, if its texts are that long."""
BETWEEN, EDGES = 3, 2
"""Characters between two columns of the table, and at both its edges together."""


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT over runs, requests, attempts and scores.")],
    results_dir: ResultsOption = DEFAULT_RESULTS,
    run: Annotated[
        list[Place] | None,
        typer.Option(
            metavar="RUN",
            help="Read only this run: its folder, its id, the beginning of its id, or `latest`; or "
            "s3://BUCKET/PREFIX/RUN. Repeatable.",
            parser=parse_run,
            autocompletion=complete_run,
        ),
    ] = None,
    json_output: JsonOption = False,
    csv_output: Annotated[
        bool, typer.Option("--csv", help="Print CSV, safe to open in a spreadsheet: no text is run as a formula.")
    ] = False,
) -> None:
    """Query runs with SQL (DuckDB). Reads only the runs and writes nothing.

    \b
    harness query "DESCRIBE requests"
    harness query --run latest "SELECT target, count(*) AS failed FROM attempts WHERE NOT ok GROUP BY ALL"
    harness query "SELECT run_id, target, quantile_disc(first_ns - due_ns, 0.5) / 1e6 AS ttft_p50_ms FROM requests
                   WHERE stream AND ok AND phase = 'measure' GROUP BY ALL ORDER BY ALL"
    harness query "SELECT run_id, target, avg(passed) AS pass_rate FROM
                   (SELECT run_id, target, prompt_id, avg(passed::int) AS passed FROM requests
                    WHERE phase = 'measure' GROUP BY ALL) GROUP BY ALL ORDER BY ALL"
    harness query --results s3://my-bench/results "SELECT suite, count(*) AS runs FROM runs GROUP BY ALL"
    """
    from harness.errors import HarnessError
    from harness.store.query import connect, select

    if json_output and csv_output:
        raise HarnessError("--json and --csv cannot be used together; choose one")
    with closing(connect(_readable_runs(run, results_dir))) as connection:
        result = select(connection, sql)
        names = [column[0] for column in result.description or ()]
        if json_output:
            _print_json(names, result)
        elif csv_output:
            _print_csv(names, result)
        else:
            _print_table(names, result)


def _readable_runs(chosen: list[Place] | None, results: Place) -> list[RunFolder]:
    """The readable ones of the chosen runs, or of all runs. Warns about the others. HarnessError: there are none."""
    import sys

    from harness.errors import HarnessError
    from harness.store.query import split_readable
    from harness.store.run_folder import RunFolder, list_runs, unreadable_runs, without_copies

    if chosen is None:
        folder = local_results(results, ROWS)
        runs, unreadable = list_runs(folder, sweeps=True), unreadable_runs(folder)
    else:
        runs, unreadable = [RunFolder(local_run(each)) for each in chosen], []
    whole, broken_files = split_readable(runs)
    readable, copies = without_copies(whole)
    for message in [*unreadable, *broken_files, *copies]:
        print(f"warning: left out: {printable(message)}", file=sys.stderr)
    if not readable:
        where = results if chosen is None else ", ".join(chosen)
        raise HarnessError(f"{where}: holds no readable runs; name the folder of the runs with --results")
    return readable


def _rows(result: DuckDBPyConnection) -> Iterator[Sequence[Any]]:
    """Yield every row. HarnessError: a value cannot be computed."""
    from harness.errors import HarnessError
    from harness.store.parquet import DUCKDB_ERRORS

    try:
        while batch := result.fetchmany(BATCH):
            yield from batch
    except DUCKDB_ERRORS as error:
        raise HarnessError(f"SQL: {error}") from error


def _print_json(names: Sequence[str], result: DuckDBPyConnection) -> None:
    import msgspec

    keys = _unique(names)
    encoder = msgspec.json.Encoder(enc_hook=str)
    separator = "["
    for row in _rows(result):
        line = encoder.encode(dict(zip(keys, row, strict=True))).decode()
        print(separator, escape_json(line), sep="\n")
        separator = ","
    print("[]" if separator == "[" else "]")


class _Lines:
    """A file for `csv.writer` that ends each row with a line feed.

    The writer is told CRLF, since Python before 3.13 quotes only the line ends that it writes itself, and a bare
    carriage return in a text would end the row.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, row: str) -> int:
        return self._file.write(row.removesuffix("\r\n") + "\n")


def _print_csv(names: Sequence[str], result: DuckDBPyConnection) -> None:
    import csv
    import sys

    on_terminal = sys.stdout.isatty()
    writer = csv.writer(_Lines(sys.stdout), lineterminator="\r\n")
    for row in chain([names], _rows(result)):
        cells = [_defused(cell) for cell in row]
        writer.writerow([visible(cell) if isinstance(cell, str) else cell for cell in cells] if on_terminal else cells)


def _print_table(names: Sequence[str], result: DuckDBPyConnection) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = _rows(result)
    shown = list(islice(rows, SHOWN))
    console = Console(highlight=False, markup=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    columns: list[list[Text]] = []
    left = console.width - EDGES
    for index, name in enumerate(names):
        numeric = all(isinstance(row[index], int | float | None) for row in shown)
        cells = [Text(visible(_cell(row[index]))) for row in shown]
        header = Text(visible(name))
        title = console.measure(header).maximum
        widest = max((console.measure(cell).maximum for cell in cells), default=0)
        least = max(min(title, READABLE), widest if numeric else min(widest, READABLE))
        left -= least
        if columns and left < 0:
            break
        left -= BETWEEN
        columns.append(cells)
        justify: Literal["right", "left"] = "right" if numeric else "left"
        table.add_column(header, justify=justify, overflow="fold", no_wrap=numeric and title <= least)
    for row in zip(*columns, strict=True):
        table.add_row(*row)
    console.print(table)
    if len(columns) < len(names):
        console.print(
            f"{len(names) - len(columns)} of {len(names)} columns left out; use --json or --csv for all of them"
        )
    if next(rows, None) is not None:
        console.print(f"only the first {SHOWN:,} rows; use --json or --csv for all of them")


def _cell(cell: Any) -> str:
    """A value as text, for the table."""
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
    """The value, with an apostrophe before whatever a spreadsheet could run as a formula. Numbers stay numbers."""
    if cell is None or isinstance(cell, bool | int | float | Decimal):
        return cell
    text = _FORMULA.sub(_defuse, str(cell))
    return f"'{text}" if text.startswith(("\t", "\r")) else text


def _defuse(match: re.Match[str]) -> str:
    begins_cell = match.start() == 0 or _CELL_ENDS.search(match[1]) is not None
    return f"{match[1]}'{match[2]}" if begins_cell else match[0]


def _unique(names: Sequence[str]) -> list[str]:
    """`a, b, a` → `a, b, a_2`: unique keys for JSON objects."""
    unique: dict[str, None] = {}
    for name in names:
        number, key = 1, name
        while key in unique:
            number += 1
            key = f"{name}_{number}"
        unique[key] = None
    return list(unique)
