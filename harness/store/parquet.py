"""Converts JSON lines to a Parquet file with exactly the row type's columns, and reads it back to check it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args, get_type_hints

import duckdb
import msgspec

from harness.errors import StoreError
from harness.store.files import open_new, temporary_name

TYPES: dict[Any, str] = {
    str: "VARCHAR",
    int: "BIGINT",
    float: "DOUBLE",
    bool: "BOOLEAN",
    list[int]: "BIGINT[]",
}
DUCKDB_ERRORS = (duckdb.Error, UnicodeDecodeError)
"""What DuckDB raises. Its message may quote a file's text, cut within a character, which cannot be decoded then."""
ROW_GROUP_BYTES = 8_000_000
"""The writer holds one row group in memory. Texts make rows large, so groups are limited by bytes."""
COUNT_BYTES = 128_000_000
"""Memory limit for counting distinct values; without it, five million take 600 MB."""
SMALLEST_OBJECT = 16 * 1024 * 1024
"""DuckDB's default for the longest JSON line; raised if a line is longer."""


def open_offline(**settings: str | bool | int | float | list[str]) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB that loads no extension, whatever a file or a query asks for. To be closed by the caller."""
    connection = duckdb.connect(
        config={
            "allow_persistent_secrets": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            **settings,
        }
    )
    connection.execute("SET enable_progress_bar = false")  # it would write to stdout
    return connection


def column_types(row: type[msgspec.Struct]) -> dict[str, str]:
    """Column → DuckDB type, in the order of the row type's fields. All columns are nullable."""
    return {name: TYPES[_without_none(hint)] for name, hint in get_type_hints(row).items()}


def write_parquet(
    row: type[msgspec.Struct],
    sources: Sequence[Path],
    target: Path,
    *,
    longest_line: int = 0,
    earlier: Path | None = None,
    key: str | None = None,
    check: Callable[[Path], None] | None = None,
) -> int:
    """Convert JSON lines to `target`, which appears completely or not at all; returns the number of its rows.

    `earlier`: a Parquet file whose rows are kept if their `key` is not in the sources. Memory use does not depend on
    the number of rows. `check` is called with the file before it becomes `target`, and raises to reject it.
    StoreError: the disk is full, or a line does not match the types.
    """
    columns = column_types(row)
    lines = _select_lines(columns, sources, max(longest_line + 1, SMALLEST_OBJECT))
    rows = lines
    if earlier is not None and key is not None:
        known = f"SELECT {key} FROM ({lines})"
        rows += f" UNION ALL SELECT {_names(columns)} FROM {_file(earlier)} WHERE {key} NOT IN ({known})"
    partial = temporary_name(target)
    with _removed_on_error(partial), _connect(target) as connection:
        open_new(partial).close()  # DuckDB would create it for everybody
        connection.execute(
            f"COPY ({rows}) TO {quote(str(partial))}"
            f" (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE_BYTES {ROW_GROUP_BYTES}, USE_TMP_FILE false)"
        )
        count = _read_back(connection, partial, columns)
        if check is not None:
            check(partial)
        os.replace(partial, target)
    return count


def count_rows(path: Path, *distinct: str, where: str | None = None) -> list[int]:
    """[rows in a Parquet file, distinct values of each SQL expression …, rows for which `where` is true].

    The last is left out without `where`. Spills to disk above `COUNT_BYTES`.
    """
    counts = ", ".join(["count(*)", *(f"count(DISTINCT {expression})" for expression in distinct)])
    if where is not None:
        counts += f", count(*) FILTER ({where})"
    with _connect(path) as connection:
        connection.execute(f"SET memory_limit = '{COUNT_BYTES}B'")
        row = connection.execute(f"SELECT {counts} FROM {_file(path)}").fetchone()
    assert row is not None
    return [int(count) for count in row]


def quote(text: str) -> str:
    """An SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def _without_none(hint: Any) -> Any:
    others = [each for each in get_args(hint) if each is not type(None)]
    return others[0] if type(None) in get_args(hint) and len(others) == 1 else hint


def _names(columns: dict[str, str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _file(path: Path) -> str:
    return f"read_parquet({quote(str(path.resolve()))})"


def _select_lines(columns: dict[str, str], sources: Sequence[Path], longest: int) -> str:
    """A SELECT over all sources; if all are empty, one with the columns and no rows."""
    if not any(source.stat().st_size for source in sources):
        empty = ", ".join(f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in columns.items())
        return f"SELECT {empty} WHERE false"
    files = "[" + ", ".join(quote(str(source.resolve())) for source in sources) + "]"
    kinds = "{" + ", ".join(f"{quote(name)}: {quote(kind)}" for name, kind in columns.items()) + "}"
    return (
        f"SELECT {_names(columns)} FROM read_json({files}, format = 'newline_delimited',"
        f" columns = {kinds}, maximum_object_size = {longest})"
    )


def _read_back(connection: duckdb.DuckDBPyConnection, path: Path, columns: dict[str, str]) -> int:
    """The number of rows in a new file. StoreError unless it has the requested columns."""
    described = connection.execute(f"DESCRIBE SELECT * FROM {_file(path)}").fetchall()
    actual = {name: kind for name, kind, *_ in described}
    if list(actual.items()) != list(columns.items()):
        raise StoreError(f"{path}: does not have the columns that were written: {actual}")
    row = connection.execute(f"SELECT count(*) FROM {_file(path)}").fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def _connect(target: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB on one thread, so that it holds one read buffer and one row group; its errors become StoreErrors."""
    spill = temporary_name(target.with_name("spill"))
    try:
        with open_offline(threads=1, preserve_insertion_order=False, temp_directory=str(spill)) as connection:
            yield connection
    except DUCKDB_ERRORS as error:
        raise StoreError(f"{target}: cannot be written or read: {error}") from error
    except OSError as error:
        raise StoreError(f"{target}: cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(spill, ignore_errors=True)


@contextmanager
def _removed_on_error(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise
