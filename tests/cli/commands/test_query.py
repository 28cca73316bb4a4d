"""`harness query`: a table, JSON or CSV, with hostile text made safe."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path

import duckdb
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.catalog.target import Target
from harness.cli.commands.query import _defused, _print_csv, query
from harness.cli.places import Place
from harness.errors import HarnessError
from harness.store.manifest import new_manifest
from harness.store.records import Attempt
from harness.store.run_folder import create_run, list_runs
from harness.suite.suite import Suite

HOSTILE = [
    '=HYPERLINK("http://127.0.0.1")',
    "\x1b[31mred\x1b[0m",
    "[bold]x[/bold]\u202e",
    "-1+cmd",
    "@SUM(A1)",
    "a,b\nc",
]

Ask = Callable[..., str]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    target = Target(
        name="x", model="x", base_model="x", model_id="x", routing="x", api="converse", client="x", region="x"
    )
    suite = Suite(name="s", digest="d", endpoint="simulator", targets=(target,), prompts=())
    run = create_run(tmp_path, new_manifest(suite, endpoint="simulator", simulated=True, seed=1, planned=None), suite)
    names = dict.fromkeys(("target", "base_model", "model_id", "routing", "api", "client", "region"), "x")
    attempts = [
        Attempt(
            run_id=run.path.name, request_id=f"{n}", attempt_id=f"{n}", try_no=1, **names, stream=True, prompt_id="p",
            repeat=0, phase="measure", due_ns=-n, ok=True, text=text,
        )
        for n, text in enumerate(HOSTILE)
    ]  # fmt: skip
    run.journal_path().write_bytes(msgspec.json.Encoder().encode_lines(attempts))
    run.finalise("complete")
    return tmp_path


@pytest.fixture
def ask(results: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    """`ask(sql, json_output=True)`: what the command prints."""

    def run(sql: str, **options: bool) -> str:
        query(sql, Place(results), **options)
        return capsys.readouterr().out

    return run


TEXTS = "SELECT text, due_ns FROM attempts ORDER BY due_ns DESC"


def test_a_table_shows_the_rows(ask: Ask) -> None:
    table = ask("SELECT 1.23456789::double AS number, NULL AS nothing, true AS yes, 'ü' AS word")
    for part in ("number", "1.23457", "–", "true", "ü"):
        assert part in table


def test_a_table_cannot_control_the_terminal(ask: Ask) -> None:
    table = ask(TEXTS)
    assert "[bold]x[/bold]" in table
    assert not {"\x1b", "\u202e"} & set(table)


def test_a_long_table_says_that_it_is_cut(ask: Ask) -> None:
    assert "the first 1,000 rows; use --json or --csv for all of them" in ask("SELECT range FROM range(1001)")


def test_json_holds_every_row(ask: Ask) -> None:
    assert [row["text"] for row in json.loads(ask(TEXTS, json_output=True))] == HOSTILE
    assert len(json.loads(ask("SELECT range FROM range(5000)", json_output=True))) == 5000
    assert json.loads(ask("SELECT 1 WHERE false", json_output=True)) == []


def test_json_keeps_columns_with_equal_names_and_unusual_types(ask: Ask) -> None:
    sql = "SELECT 1 AS a, 2 AS a, 'nan'::double AS n, DATE '2026-01-02' AS d, INTERVAL 1 DAY AS i, MAP {'k': [1]} AS m"
    assert json.loads(ask(sql, json_output=True)) == [
        {"a": 1, "a_2": 2, "n": None, "d": "2026-01-02", "i": "P1D", "m": {"k": [1]}}
    ]


def test_csv_contains_no_formulas(ask: Ask) -> None:
    rows = list(csv.reader(io.StringIO(ask(TEXTS, csv_output=True))))
    assert rows[0] == ["text", "due_ns"]
    assert [text for text, _ in rows[1:]] == [
        '\'=HYPERLINK("http://127.0.0.1")',
        "\x1b[31mred\x1b[0m",
        "[bold]x[/bold]\u202e",
        "'-1+cmd",
        "'@SUM(A1)",
        "a,b\nc",
    ]
    assert [number for _, number in rows[1:]] == ["0", "-1", "-2", "-3", "-4", "-5"]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"),
        ("＝1+1", "'＝1+1"),
        ("﹣1", "'﹣1"),
        (" \u3000=1", " \u3000'=1"),
        ("\u200b\ufeff@A1", "\u200b\ufeff'@A1"),
        ('"=1"', '"\'=1"'),
        ("\tx", "'\tx"),
        ("\r=1", "'\r'=1"),
        ("a;=1;b", "a;'=1;b"),
        ('a; "=1', "a; \"'=1"),
        ("a\n- b", "a\n'- b"),
        ("a =1 - b; c", "a =1 - b; c"),
        ("a, -1", "a, -1"),
        ("'=1", "'=1"),
    ],
)
def test_an_apostrophe_stands_before_each_formula_and_nowhere_else(ask: Ask, text: str, written: str) -> None:
    quoted = text.replace("'", "''")
    ((read,),) = list(csv.reader(io.StringIO(ask(f"SELECT '{quoted}' AS x", csv_output=True), newline="")))[1:]
    assert written == read


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


@settings(max_examples=200)
@given(texts=st.lists(st.text(st.sampled_from("=+-@＝－; \t\r\n\",'a1\u3000\ufeff")), min_size=1, max_size=3))
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_no_cell_is_a_formula_whatever_a_spreadsheet_takes_for_the_end_of_a_cell(
    connection: duckdb.DuckDBPyConnection, delimiter: str, texts: list[str]
) -> None:
    file = io.StringIO(newline="")
    with redirect_stdout(file):
        _print_csv(["a", *texts], connection.execute("SELECT 1"))
    file.seek(0)
    cells = [cell for row in csv.reader(file, delimiter=delimiter) for cell in row]
    assert [] == [cell for cell in cells if cell.lstrip(' \t\r\n"\u3000\ufeff').startswith(tuple("=+-@＝－"))]


def test_numbers_stay_numbers_in_csv(ask: Ask) -> None:
    sql = "SELECT -5 AS a, -1.5::double AS b, -2.50::decimal(5, 2) AS c, (-3)::hugeint AS d, NULL AS e"
    assert "a,b,c,d,e\n-5,-1.5,-2.50,-3,\n" == ask(sql, csv_output=True)


def test_a_long_text_is_defused_in_linear_time(ask: Ask) -> None:
    """Ten million characters, which a pattern that looks ahead from each of them would never finish."""
    assert 10_000_000 == len(_defused("\n" * 10_000_000))


def test_every_example_in_the_help_and_the_readme_works(ask: Ask) -> None:
    readme = Path(__file__).parents[3] / "results" / "README.md"
    examples = re.findall(r'harness query "(.*?)"', f"{query.__doc__}{readme.read_text()}", flags=re.DOTALL)
    assert len(examples) == 7
    for sql in examples:
        assert ask(sql, csv_output=True)


@pytest.mark.parametrize("sql", ["SELEC 1", "DROP VIEW attempts", "SELECT 'x'::int", "SELECT error('no')"])
@pytest.mark.parametrize("as_json", [True, False])
def test_bad_sql_is_the_users_mistake(ask: Ask, sql: str, as_json: bool) -> None:
    with pytest.raises(HarnessError, match=r"^SQL: ") as raised:
        ask(sql, json_output=as_json)
    assert raised.value.exit_code == 2


def test_broken_runs_are_left_out_with_a_warning(results: Path, ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    (run,) = list_runs(results)
    for name in ("broken-manifest", "broken-attempts"):
        shutil.copytree(run.path, results / name)
    (results / "broken-manifest" / "manifest.json").write_text("{")
    (results / "broken-attempts" / "attempts.parquet").write_text("PAR1")
    query("SELECT count(*) FROM attempts", Place(results), csv_output=True)
    printed = capsys.readouterr()
    assert printed.out == f"count_star()\n{len(HOSTILE)}\n"
    manifest, attempts = printed.err.splitlines()
    assert manifest.startswith(f"warning: left out: {results}/broken-manifest/manifest.json: ")
    assert attempts.startswith(f"warning: left out: {results}/broken-attempts: attempts.parquet cannot be read")
    run.manifest_path.unlink()
    shutil.rmtree(results / "broken-attempts")
    with pytest.raises(HarnessError, match="holds no readable runs"):
        ask("SELECT 1")


def test_a_table_shows_the_columns_that_fit_and_counts_the_others(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    table = ask("SELECT * REPLACE ('r' AS run_id) FROM attempts").splitlines()
    assert table[1].split() == ["run_id", "request_id", "attempt_id", "try_no", "target", "base_model", "model_id"]
    assert table[-1] == "32 of 39 columns left out; use --json or --csv for all of them"
    assert max(map(len, table)) <= 80


@pytest.mark.parametrize("column", ["repeat('x', 300)", "12345678901234567890"])
def test_one_column_is_shown_however_narrow_the_terminal(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, column: str
) -> None:
    monkeypatch.setenv("COLUMNS", "12")
    assert "2 of 3 columns" in " ".join(ask(f"SELECT {column} AS a, {column} AS b, 1 AS c").split())


def test_csv_cannot_control_the_terminal(results: Path) -> None:
    screen, terminal = os.openpty()
    with os.fdopen(screen, "rb", 0) as seen, open(terminal, "w") as stdout, redirect_stdout(stdout):
        query("SELECT E'\\x1b]0;x\\x07' AS text, 1 AS number", Place(results), csv_output=True)
        stdout.flush()
        assert seen.read(100).decode() == "text,number\r\n\ufffd]0;x\ufffd,1\r\n"


def test_json_cannot_control_the_terminal_and_keeps_its_content(ask: Ask) -> None:
    seen = ask("SELECT chr(155) || chr(27) || chr(8238) || '😀' AS text", json_output=True)
    assert not {"\x1b", "\x9b", "\u202e"} & set(seen)
    assert json.loads(seen) == [{"text": "\x9b\x1b\u202e😀"}]


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="holds no readable runs"):
        query("SELECT 1", Place(tmp_path / "missing"))


def test_json_and_csv_exclude_each_other(ask: Ask) -> None:
    with pytest.raises(HarnessError, match="cannot be used together"):
        ask("SELECT 1", json_output=True, csv_output=True)
