"""SQL over runs, and nothing but runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.errors import HarnessError, StoreError
from harness.store.parquet import write_parquet
from harness.store.query import connect, select, split_readable
from harness.store.records import Attempt, Score
from harness.store.run_folder import RunFolder, list_runs


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
    for view in ("runs", "requests", "attempts", "scores"):
        assert ask(tmp_path, f"SELECT count(*) FROM {view}") == [(0,)]
    assert ask(tmp_path, "SELECT run_id, value FROM scores") == []


def test_describe_and_summarize_work(results: Path) -> None:
    assert len(ask(results, "DESCRIBE attempts")) == 39
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


@pytest.fixture
def retried(make_run: Callable[..., RunFolder], make_attempt: Callable[..., Attempt]) -> Path:
    """Two equal runs: a request that passed at the third try, one that failed a check, one unscored, one warm-up."""
    for name in ("a", "b"):
        run = make_run(name)
        run_id = run.path.name
        tries = [
            make_attempt(0, run_id=run_id, attempt_id="0-1", ok=False, error_kind="throttled", due_ns=1, cost_usd=0.5),
            make_attempt(0, run_id=run_id, attempt_id="0-2", try_no=2, ok=False, error_kind="timeout", due_ns=50),
            make_attempt(
                0, run_id=run_id, attempt_id="0-3", try_no=3, due_ns=90, first_ns=101, text="yes", cost_usd=0.25
            ),
        ]
        others = [make_attempt(n, run_id=run_id) for n in (1, 2)]
        warm = make_attempt(3, run_id=run_id, phase="warmup")
        run.journal_path().write_bytes(msgspec.json.Encoder().encode_lines([*tries[::-1], *others, warm]))
        run.finalise("complete")
        verdicts = [("0-0", "exact", True), ("0-0", "regex", True), ("1-0", "exact", True), ("1-0", "regex", False)]
        verdicts += [("2-0", "exact", True), ("2-0", "regex", None)]
        scores = [Score(request_id=id, scorer=scorer, value=None, passed=passed) for id, scorer, passed in verdicts]
        (run.path / "rows").write_bytes(msgspec.json.Encoder().encode_lines(scores))
        write_parquet(Score, [run.path / "rows"], run.scores_path)
    return run.path.parent


def test_requests_has_one_row_a_request_whatever_its_retries_and_checks(retried: Path) -> None:
    sql = """
    SELECT request_id, phase, due_ns, first_ns, ok, error_kind, text, attempts, cost_usd, passed
    FROM requests ORDER BY request_id, run_id
    """
    assert ask(retried, sql) == 2 * [("0-0", "measure", 1, 101, True, None, "yes", 3, 0.75, True)] + 2 * [
        ("1-0", "measure", 1, None, True, None, None, 1, None, False)
    ] + 2 * [("2-0", "measure", 2, None, True, None, None, 1, None, None)] + 2 * [
        ("3-0", "warmup", 3, None, True, None, None, 1, None, None)
    ]


def test_requests_has_the_columns_that_are_documented(retried: Path) -> None:
    documented = (Path(__file__).parents[2] / "results/README.md").read_text().partition("`requests`: `")[2]
    columns = [name.strip() for name in documented.partition("`")[0].split(",")]
    assert columns == [row[0] for row in ask(retried, "DESCRIBE requests")]


def test_a_broken_parquet_file_is_reported_with_its_run_and_can_be_left_out(results: Path) -> None:
    first, second, third = list_runs(results)
    first.attempts_path.write_bytes(second.attempts_path.read_bytes()[:-100])
    with pytest.raises(StoreError) as raised:
        connect([first, second, third])
    assert str(raised.value).startswith(f"{first.path}: attempts.parquet cannot be read (")
    assert str(raised.value).endswith("; restore it or delete the folder")
    assert "CREATE VIEW" not in str(raised.value)
    assert split_readable([first, second, third]) == ([second, third], [str(raised.value)])


def test_a_complete_run_without_its_attempts_is_named(results: Path) -> None:
    gone = next(run for run in list_runs(results) if "second" in run.path.name)
    gone.attempts_path.unlink()
    readable, mistakes = split_readable(list_runs(results))
    assert [f"{gone.path}: has no attempts.parquet; restore it or delete the folder"] == mistakes
    assert len(list_runs(results)) - 1 == len(readable)


def test_broken_scores_can_be_made_again(results: Path) -> None:
    run = list_runs(results)[0]
    run.scores_path.write_bytes(b"")
    with pytest.raises(
        StoreError, match=r"scores\.parquet cannot be read .*; delete it; `harness report .*` creates it"
    ):
        connect([run])


def test_a_query_writes_nothing_where_the_user_is(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    with closing(connect(list_runs(results))) as connection:
        settings = "SELECT current_setting('temp_directory'), current_setting('allowed_directories')"
        assert select(connection, settings).fetchall() == [("", [])]
    assert not list(here.iterdir())
