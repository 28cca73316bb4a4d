"""SQL over runs: the views `runs`, `requests`, `attempts` and `scores`, read-only and sandboxed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import duckdb

from harness.clock import utc_from_ns
from harness.errors import HarnessError, StoreError
from harness.store.parquet import DUCKDB_ERRORS, column_types, open_offline, quote
from harness.store.records import VERDICT, Attempt, Score, last_attempts
from harness.store.run_folder import RunFolder

RUN_COLUMNS = {
    "run_id": "VARCHAR",
    "state": "VARCHAR",
    "simulated": "BOOLEAN",
    "endpoint": "VARCHAR",
    "suite": "VARCHAR",
    "suite_digest": "VARCHAR",
    "seed": "BIGINT",
    "started_utc": "TIMESTAMP",
    "harness_version": "VARCHAR",
    "path": "VARCHAR",
    "kind": "VARCHAR",
}
"""One row per run, from its manifest."""

_REQUESTS = f"""
CREATE VIEW requests AS
WITH verdicts AS (
    SELECT run_id, request_id, {VERDICT} AS passed FROM scores GROUP BY run_id, request_id
)
SELECT run_id, request_id, target, base_model, routing, api, client, stream, prompt_id, group_id, repeat, phase,
    first_due_ns AS due_ns, sent_ns, first_ns, last_ns, done_ns, ok, error_kind, error_message, text, input_tokens,
    output_tokens, attempts, total_cost_usd AS cost_usd, passed
FROM ({last_attempts()}) LEFT JOIN verdicts USING (run_id, request_id)
"""


def connect(runs: Sequence[RunFolder]) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB over these runs, to be closed by the caller.

    `runs`: see RUN_COLUMNS. `attempts`: the columns of attempts.parquet. `scores`: `run_id`, since request ids repeat
    between runs, and the columns of scores.parquet. `requests`: one row for each request, derived from the latter two.
    A run without one of the files has no rows in that view.

    SQL can read those files only: no other file, no network, no extension, and the lock cannot be undone. Nothing is
    written, so running out of memory is an error. StoreError: names the runs whose files cannot be read;
    `split_readable` leaves them out.
    """
    connection = _open()
    try:
        _create_views(connection, runs)
    except (*DUCKDB_ERRORS, StoreError) as error:
        connection.close()
        unreadable = split_readable(runs)[1]
        raise StoreError("\n".join(unreadable) or f"the runs cannot be read: {_first_line(error)}") from error
    return connection


def split_readable(runs: Sequence[RunFolder], *, scores: bool = True) -> tuple[list[RunFolder], list[str]]:
    """The runs that `connect` can read, and one message for each of the others.

    `scores=False`: do not check the scores, as they can be computed again.
    """
    readable: list[RunFolder] = []
    unreadable: list[str] = []
    with _open() as connection:
        for run in runs:
            mistake = _mistake(connection, run, scores=scores)
            if mistake is None:
                readable.append(run)
            else:
                unreadable.append(mistake)
    return readable, unreadable


def select(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.DuckDBPyConnection:
    """Run one SELECT (or DESCRIBE, SUMMARIZE) from a user. HarnessError: invalid SQL, or any other statement."""
    try:
        statements = connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise HarnessError("SQL: write a single SELECT (or FROM, WITH, DESCRIBE, SUMMARIZE); nothing was run")
        return connection.execute(statements[0])
    except DUCKDB_ERRORS as error:
        raise HarnessError(f"SQL: {error}") from error


def _open() -> duckdb.DuckDBPyConnection:
    return open_offline(temp_directory="")  # otherwise a large sort spills into .tmp in the current folder


def _mistake(connection: duckdb.DuckDBPyConnection, run: RunFolder, *, scores: bool) -> str | None:
    """Why a run's Parquet files cannot be read, and what to do. None: their footers look fine."""
    remedies = {
        run.attempts_path: "restore it or delete the folder",
        run.scores_path: f"delete it; `harness report {run.path}` creates it again",
    }
    if not os.path.lexists(run.attempts_path) and run.read_manifest().state == "complete":
        return f"{run.path}: has no {run.attempts_path.name}; {remedies[run.attempts_path]}"
    expected = {run.attempts_path: column_types(Attempt), run.scores_path: column_types(Score)}
    for path, remedy in remedies.items():
        if not os.path.lexists(path) or (path == run.scores_path and not scores):
            continue
        try:
            _check_regular(path)
            actual = _describe(connection, _files([path.resolve()]))
        except (*DUCKDB_ERRORS, StoreError) as error:
            return f"{run.path}: {path.name} cannot be read ({_first_line(error)}); {remedy}"
        wrong = [name for name, kind in expected[path].items() if actual.get(name, kind) != kind]
        if wrong:
            return f"{run.path}: column {wrong[0]} of {path.name} has the wrong type; {remedy}"
    return None


def _check_regular(path: Path) -> None:
    """StoreError unless this is a regular file: DuckDB would wait forever on a pipe."""
    if not path.is_file():
        raise StoreError(f"{path}: not a regular file")


def _describe(connection: duckdb.DuckDBPyConnection, files: str) -> dict[str, str]:
    """Column → type of Parquet files."""
    return {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE SELECT * FROM {files}").fetchall()}


def _files(paths: Sequence[Path]) -> str:
    names = ", ".join(quote(str(path)) for path in paths)
    return f"read_parquet([{names}], union_by_name = true, filename = true)"


def _first_line(error: Exception) -> str:
    """The first line of the message; DuckDB quotes the SQL below it."""
    return str(error).partition("\n")[0]


def _create_views(connection: duckdb.DuckDBPyConnection, runs: Sequence[RunFolder]) -> None:
    connection.execute(f"CREATE TABLE runs ({_columns(RUN_COLUMNS)})")
    if runs:
        places = ", ".join("?" for _ in RUN_COLUMNS)
        connection.executemany(f"INSERT INTO runs VALUES ({places})", [_run_row(run) for run in runs])
    attempts = _owners((run, run.attempts_path) for run in runs)
    scores = _owners((run, run.scores_path) for run in runs)
    _create_view(connection, "attempts", column_types(Attempt), attempts)
    _create_view(connection, "scores", {"run_id": "VARCHAR", **column_types(Score)}, scores)
    connection.execute(_REQUESTS)
    allowed = ", ".join(quote(str(path)) for path in [*attempts, *scores])
    connection.execute(f"SET allowed_paths = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _owners(files: Iterable[tuple[RunFolder, Path]]) -> dict[Path, str]:
    """File → id of the run whose folder contains it. StoreError: not a regular file."""
    owners = {}
    for run, path in files:
        if os.path.lexists(path):
            _check_regular(path)
            owners[path.resolve()] = run.read_manifest().run_id
    return owners


def _create_view(
    connection: duckdb.DuckDBPyConnection, name: str, columns: dict[str, str], owners: Mapping[Path, str]
) -> None:
    """A view with exactly these columns, over files that may lack some of them.

    A row belongs to the run whose folder contains it, whatever its own `run_id` says.
    """
    if not owners:
        connection.execute(f"CREATE TABLE {name} ({_columns(columns)})")
        return
    files = _files(list(owners))
    actual = _describe(connection, files)
    if any(actual.get(column, kind) != kind for column, kind in columns.items()):
        raise StoreError(f"{name}: a column has the wrong type")
    select = [f'"{each}"' if each in actual else f'NULL::{kind} AS "{each}"' for each, kind in columns.items()]
    at = list(columns).index("run_id")
    if len(owners) == 1:
        (run_id,) = owners.values()
        select[at] = f"{quote(run_id)} AS run_id"
        connection.execute(f"CREATE VIEW {name} AS SELECT {', '.join(select)} FROM {files}")
        return
    table = f"{name}_files"
    connection.execute(f"CREATE TABLE {table} (file VARCHAR, owner VARCHAR)")
    connection.executemany(f"INSERT INTO {table} VALUES (?, ?)", [(str(path), run) for path, run in owners.items()])
    select[at] = "owner AS run_id"
    connection.execute(f"CREATE VIEW {name} AS SELECT {', '.join(select)} FROM {files} JOIN {table} ON filename = file")


def _columns(columns: dict[str, str]) -> str:
    return ", ".join(f'"{name}" {kind}' for name, kind in columns.items())


def _run_row(run: RunFolder) -> list[object]:
    manifest = run.read_manifest()
    return [
        manifest.run_id,
        manifest.state,
        manifest.simulated,
        manifest.endpoint,
        manifest.suite,
        manifest.suite_digest,
        manifest.seed,
        utc_from_ns(manifest.origin_utc_ns).replace(tzinfo=None),
        manifest.versions.get("harness"),
        str(run.path.resolve()),
        manifest.kind,
    ]
