"""Run folders of others: one file of a tiny run is damaged, and everything that reads it reads it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from fuzzing.mutations import changed_bytes, changed_json, changed_lines
from fuzzing.target import File, Files, Target, write_files
from fuzzing.tiny_run import NO_FIGURES, RUN_ID, killed_run, whole_run
from harness.analysis.history import HistoryFilter, load_history
from harness.cli.running.compare_runs import compare_sides, load_compared_answers, make_sides
from harness.report.compare.sections import compare_report
from harness.report.history.sections import history_report
from harness.report.index import CACHE, write_index
from harness.report.markdown import render_markdown
from harness.report.page import render_page
from harness.report.write import report_run
from harness.scoring.score import score_run
from harness.store.baselines import FILE as BASELINES
from harness.store.baselines import read_baselines
from harness.store.opening import open_run
from harness.store.parquet import quote
from harness.store.query import connect, select, split_readable
from harness.store.run_folder import list_runs, unreadable_runs, without_copies
from harness.suite.stored import read_suite

THEIRS, OWN, OWN_ID = "theirs", "own", RUN_ID.replace("a1b2c3", "0wn0wn")
"""A damaged run, and a whole one beside it that must stay readable."""
KILLED = ("attempts.jsonl", "manifest.json", "suite.json", "judgements.jsonl")
COMPARED = ("attempts.parquet", "scores.parquet", "manifest.json", "suite.json", "judgements.jsonl")
LISTED = (*COMPARED, "summary.json")
SQL = "SELECT run_id, count(*), sum(cost_usd), avg(passed::int), max(text) FROM requests GROUP BY ALL ORDER BY ALL"
OTHER_FILES: tuple[Callable[[Path], object], ...] = (
    os.mkfifo,
    Path.mkdir,
    lambda path: path.symlink_to(path),
    lambda path: path.symlink_to("/etc/passwd"),
    lambda path: path.symlink_to("/dev/zero"),
    lambda path: path.symlink_to(".."),
)
"""What may be in the place of a file."""


def report(folder: Path) -> None:
    """All of `harness report` but the figures: finish the run, grade it, summarise it, write its pages."""
    run = open_run(folder, recover=True)
    suite = run.read_suite()
    asyncio.run(score_run(run, suite))
    report_run(run, suite, NO_FIGURES)


def compare(folder: Path) -> None:
    """All of `harness compare` but the picture."""
    sides = make_sides(open_run(folder), None, baseline=None, candidates=())
    compared = compare_sides(sides)
    content = compare_report(compared, [], load_compared_answers(compared, sides))
    render_page(content)
    render_markdown(content)


def read_results(results: Path) -> None:
    """What reads all runs of a folder: history, query, index. The whole run must be in each."""
    history = load_history(results, HistoryFilter())
    assert any(run.run_id == OWN_ID for suite in history.suites for run in suite.runs), "lost from the history"
    render_page(history_report(history, {}))
    unreadable_runs(results)
    readable = without_copies(split_readable(list_runs(results, sweeps=True))[0])[0]
    with closing(connect(readable)) as connection:
        rows = select(connection, SQL).fetchall()
    assert any(row[0] == OWN_ID for row in rows), "lost from the query"
    page = write_index(results, create=True)
    assert page is not None
    assert OWN in page.read_text(), "lost from the index"


def read_beside_runs(results: Path) -> None:
    """What reads the files beside the runs; a damaged list of what was read before is not believed."""
    page = write_index(results, create=True)
    assert page is not None
    assert OWN in page.read_text(), "lost from the index"
    read_baselines(results)


def beside_own(theirs: SearchStrategy[Files]) -> SearchStrategy[Files]:
    """A results folder of two runs."""
    return theirs.map(lambda files: {**own_run(), **{f"{THEIRS}/{name}": file for name, file in files.items()}})


def own_run() -> dict[str, bytes]:
    """A results folder of one run."""
    own = {f"{OWN}/{name}": content for name, content in whole_run().items()}
    own[f"{OWN}/manifest.json"] = own[f"{OWN}/manifest.json"].replace(RUN_ID.encode(), OWN_ID.encode())
    return own


def beside_runs() -> SearchStrategy[Files]:
    """A run, and damaged files that the harness keeps beside the runs."""
    return st.one_of(
        _damaged_file(CACHE, _known()).map(lambda file: {**own_run(), CACHE: file}),
        _damaged_file(BASELINES, b'{"tiny": {"default": "own"}}').map(lambda file: {**own_run(), BASELINES: file}),
    )


@cache
def _known() -> bytes:
    """The content of `.index.json`."""
    with TemporaryDirectory() as folder:
        write_files(own_run(), Path(folder))
        write_index(Path(folder), create=True)
        return (Path(folder) / CACHE).read_bytes()


def damaged(make: Callable[[], Mapping[str, bytes]], *names: str) -> Callable[[], SearchStrategy[Files]]:
    """Strategies of a run's files, of which one of `names` is damaged in ways that suit it, or is something else."""
    return lambda: st.sampled_from(names).flatmap(
        lambda name: _damaged_file(name, make()[name]).map(lambda file: {**make(), name: file})
    )


def _damaged_file(name: str, content: bytes) -> SearchStrategy[File]:
    if name.endswith(".json"):
        fitting: SearchStrategy[File] = changed_json(json.loads(content))
    elif name.endswith(".jsonl"):
        fitting = changed_lines([json.loads(line) for line in content.splitlines()])
    else:
        fitting = changed_table(content)
    ways = (fitting, fitting, fitting, changed_bytes(content), st.sampled_from(OTHER_FILES))
    return st.integers(0, 4 * len(ways)).flatmap(lambda at: ways[min(at // 4, 4) if at < 4 * len(ways) else 0])


EXPRESSIONS = (
    "NULL", "'x'", "''", "'../../x'", "chr(27) || '[31m'", "repeat('a', 100000)", "true", "false", "0", "-1",
    "1::TINYINT",
    "9223372036854775807", "-9223372036854775808", "10::HUGEINT ** 30", "1e308", "-1e308", "'nan'::DOUBLE",
    "'inf'::DOUBLE", "'-inf'::DOUBLE", "1.5::DECIMAL(9, 3)", "[1, 2]", "[9223372036854775807, -9223372036854775808]",
    "[NULL::BIGINT]", "[]::BIGINT[]", "[[1]]", "{a: 1}", "MAP {'a': 1}", "'\\x00\\xFF'::BLOB", "DATE '2026-01-01'",
    "uuid()", "COLUMN", "COLUMN::VARCHAR", "row_number() OVER ()", "if(random() < 0.5, NULL, COLUMN)", "'[[' ",
)  # fmt: skip
TABLES = (
    "FROM whole", "FROM whole LIMIT 0", "FROM whole LIMIT 1", "FROM whole UNION ALL FROM whole",
    "SELECT whole.* FROM whole, range(500)", "FROM whole ORDER BY random()", "SELECT *, 'x' AS filename FROM whole",
    "SELECT *, 1 AS owner FROM whole", "SELECT *, 1 AS file FROM whole", "SELECT 1 AS a", "SELECT whole FROM whole",
)  # fmt: skip


@st.composite
def changed_table(draw: DrawFn, content: bytes) -> bytes:
    """A Parquet file with up to three columns computed anew, one left out, and rows doubled or left out."""
    with duckdb.connect() as connection, TemporaryDirectory() as folder:
        before, after = Path(folder) / "before", Path(folder) / "after"
        before.write_bytes(content)
        connection.execute(f"CREATE TABLE whole AS FROM read_parquet({quote(str(before))})")
        names = [row[0] for row in connection.execute("DESCRIBE whole").fetchall()]
        for name in draw(st.lists(st.sampled_from(names), max_size=3, unique=True)):
            expression = draw(st.sampled_from(EXPRESSIONS)).replace("COLUMN", name)
            connection.execute(f"CREATE OR REPLACE TABLE whole AS SELECT * REPLACE ({expression} AS {name}) FROM whole")
        table = draw(st.sampled_from(TABLES))
        if draw(st.integers(0, 4)) == 0:
            table = f"SELECT * EXCLUDE ({draw(st.sampled_from(names))}) FROM whole"
        connection.execute(f"COPY ({table}) TO {quote(str(after))} (FORMAT parquet)")
        return after.read_bytes()


TARGETS = {
    "journal": Target(
        whole=killed_run, inputs=damaged(killed_run, "attempts.jsonl"), read=partial(open_run, recover=True), share=2
    ),
    "manifest": Target(
        whole=whole_run, inputs=damaged(whole_run, "manifest.json"), read=partial(open_run, recover=True), share=8
    ),
    "stored suite": Target(whole=whole_run, inputs=damaged(whole_run, "suite.json"), read=read_suite, share=8),
    "Parquet": Target(
        whole=whole_run, inputs=damaged(whole_run, "attempts.parquet", "scores.parquet"), read=open_run, share=2
    ),
    "report": Target(whole=whole_run, inputs=damaged(whole_run, *COMPARED), read=report),
    "killed run": Target(whole=killed_run, inputs=damaged(killed_run, *KILLED), read=report),
    "compare": Target(whole=whole_run, inputs=damaged(whole_run, *COMPARED), read=compare),
    "results": Target(whole=own_run, inputs=lambda: beside_own(damaged(whole_run, *LISTED)()), read=read_results),
    "beside runs": Target(whole=own_run, inputs=beside_runs, read=read_beside_runs, share=2),
}
