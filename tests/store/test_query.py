"""SQL over runs, and nothing but runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.errors import HarnessError, StoreError
from harness.store.attempt import Attempt
from harness.store.parquet import write_parquet
from harness.store.query import connect, select
from harness.store.run_folder import RunFolder, list_runs
from harness.store.score import Score


@pytest.fixture
def results(
    tmp_path: Path,
    make_run: Callable[..., RunFolder],
    make_attempt: Callable[..., Attempt],
    write_journal: Callable[..., None],
) -> Path:
    """Two finished runs whose request ids are the same, the first with scores, and one that still runs."""
    folder = tmp_path / "it's [1]*"
    for name in ("first", "second"):
        run = make_run(name, folder)
        write_journal(run.journal_path(), [make_attempt(n, run_id=run.path.name) for n in range(2)])
        run.finalise("complete")
        if name == "first":
            rows = [Score(request_id=f"{n}-0", scorer="exact", value=1.0, passed=True) for n in range(2)]
            (run.path / "rows").write_bytes(msgspec.json.Encoder().encode_lines(rows))
            write_parquet(Score, [run.path / "rows"], run.scores_path)
    make_run("third", folder)
    return folder


def ask(results: Path, sql: str) -> list[Any]:
    with closing(connect(list_runs(results))) as connection:
        return select(connection, sql).fetchall()


def test_the_views_hold_all_runs(results: Path) -> None:
    assert ask(results, "SELECT suite, state, simulated FROM runs ORDER BY suite") == [
        ("first", "complete", True),
        ("second", "complete", True),
        ("third", "running", True),
    ]
    assert ask(results, "SELECT count(*), count(DISTINCT run_id) FROM attempts") == [(4, 2)]


def test_scores_know_their_run(results: Path) -> None:
    sql = """
    SELECT suite, count(*) FROM attempts JOIN scores USING (run_id, request_id) JOIN runs USING (run_id) GROUP BY suite
    """
    assert ask(results, sql) == [("first", 2)]


def test_without_runs_the_views_are_empty_and_have_their_columns(tmp_path: Path) -> None:
    for view in ("runs", "attempts", "scores"):
        assert ask(tmp_path, f"SELECT count(*) FROM {view}") == [(0,)]
    assert ask(tmp_path, "SELECT run_id, value FROM scores") == []


def test_describe_and_summarize_work(results: Path) -> None:
    assert len(ask(results, "DESCRIBE attempts")) == 38
    assert ask(results, "SUMMARIZE runs")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM read_parquet('https://127.0.0.1:9/x.parquet')",
        "COPY (SELECT 1) TO 'stolen.csv'",
        "COPY (SELECT 1) TO '{attempts}' (USE_TMP_FILE false)",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{attempts}' (USE_TMP_FILE false)",
        "ATTACH 'other.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "DROP VIEW attempts",
        "DELETE FROM runs",
        "SELECT 1; SELECT 2",
        "",
        "SELECT * FROM results",
    ],
)
def test_sql_reaches_nothing_but_the_runs(results: Path, sql: str) -> None:
    attempts = list_runs(results)[0].attempts_path
    before = attempts.read_bytes()
    with pytest.raises(HarnessError, match=r"^SQL: "):
        ask(results, sql.replace("{attempts}", str(attempts).replace("'", "''")))
    assert attempts.read_bytes() == before


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT nothing FROM attempts", "SELECT 1/"])
def test_bad_sql_is_one_clear_message(results: Path, sql: str) -> None:
    with pytest.raises(HarnessError, match=r"^SQL: .*Error"):
        ask(results, sql)


def test_a_broken_parquet_file_is_told(results: Path) -> None:
    list_runs(results)[0].attempts_path.write_bytes(b"no parquet")
    with pytest.raises(StoreError, match="the runs cannot be read"):
        connect(list_runs(results))
