"""SQL over runs: the views `runs`, `attempts` and `scores`, read-only and shut off from everything else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from harness.clock import utc_from_ns
from harness.errors import HarnessError, StoreError
from harness.store.attempt import Attempt
from harness.store.parquet import column_types, quote
from harness.store.run_folder import RunFolder
from harness.store.score import Score

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
}
"""One row a run, from its manifest."""


def connect(runs: Sequence[RunFolder]) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB over these runs, to be closed by the caller.

    `runs`: see RUN_COLUMNS. `attempts`: the columns of attempts.parquet. `scores`: those of scores.parquet after a
    `run_id`, since request ids repeat from run to run. A run without one of the files has no rows in its view. SQL can
    read those files and nothing else: no other file, no network, no extension; that cannot be changed back.
    """
    connection = duckdb.connect()
    try:
        _create_views(connection, runs)
    except duckdb.Error as error:
        connection.close()
        raise StoreError(f"the runs cannot be read: {error}; `harness report RUN` makes a run's files again") from error
    return connection


def select(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.DuckDBPyConnection:
    """Run one SELECT that a user typed; DESCRIBE and SUMMARIZE count as one. HarnessError: anything else, bad SQL."""
    try:
        statements = connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise HarnessError("SQL: one SELECT is asked for (or FROM, WITH, DESCRIBE, SUMMARIZE); nothing was run")
        return connection.execute(statements[0])
    except duckdb.Error as error:
        raise HarnessError(f"SQL: {error}") from error


def _create_views(connection: duckdb.DuckDBPyConnection, runs: Sequence[RunFolder]) -> None:
    connection.execute("SET enable_progress_bar = false")  # it would write to stdout
    connection.execute(f"CREATE TABLE runs ({_columns(RUN_COLUMNS)})")
    if runs:
        places = ", ".join("?" for _ in RUN_COLUMNS)
        connection.executemany(f"INSERT INTO runs VALUES ({places})", [_run_row(run) for run in runs])
    attempts = [run.attempts_path.resolve() for run in runs if run.attempts_path.exists()]
    scores = [run.scores_path.resolve() for run in runs if run.scores_path.exists()]
    _create_view(connection, "attempts", column_types(Attempt), attempts, "SELECT * FROM {files}")
    _create_view(
        connection,
        "scores",
        {"run_id": "VARCHAR", **column_types(Score)},
        scores,
        "SELECT run_id, rows.* EXCLUDE (filename) FROM {files} AS rows"
        " JOIN runs ON filename = concat(path, '/scores.parquet')",
    )
    allowed = ", ".join(quote(str(path)) for path in [*attempts, *scores])
    connection.execute(f"SET allowed_paths = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _create_view(
    connection: duckdb.DuckDBPyConnection, name: str, columns: dict[str, str], paths: Sequence[Path], sql: str
) -> None:
    if not paths:
        connection.execute(f"CREATE TABLE {name} ({_columns(columns)})")
        return
    names = ", ".join(quote(str(path)) for path in paths)
    filename = ", filename = true" if "filename" in sql else ""
    files = f"read_parquet([{names}], union_by_name = true{filename})"
    connection.execute(f"CREATE VIEW {name} AS {sql.format(files=files)}")


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
    ]
